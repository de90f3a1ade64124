package views

import "time"

// Confirm asks before a dangerous act. Template confirm. It posts csrf (and "confirm", the typed
// address, for ActPurge) to Action.
type Confirm struct {
	Base
	Act    Act
	Action string    // where the form goes
	Back   string    // where "no" leads
	Name   string    // the site's name, the token's label
	Host   string    // the site's address; ActPurge asks to type it
	Assoc  string    // the association's name
	Until  time.Time // ActDelete: how long it can come back; ActPurge: when it would go by itself
	Days   int       // ActDelete: the same in days
	Disk   Amount    // ActPurge: what is destroyed
	Taken  time.Time // ActRecover: which state comes back
	Typed  Field     // ActPurge: what was typed
}

func (Confirm) template() string { return "confirm" }

func (p Confirm) area() Area {
	switch p.Act {
	case ActPurge:
		return AreaBin
	case ActRevoke:
		return AreaAccount
	}
	return sitesArea(p.Base)
}

// Act is a dangerous act.
type Act string

// The dangerous acts.
const (
	ActSuspend Act = "suspend"
	ActUpdate  Act = "update"
	ActDelete  Act = "delete"  // into the bin
	ActPurge   Act = "purge"   // out of the bin, for good
	ActRecover Act = "recover" // a snapshot
	ActRevoke  Act = "revoke"  // a token
)
