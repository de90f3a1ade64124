package views

import "time"

// Platform is the state of the platform for co-op admins. Template platform.
type Platform struct {
	Base
	Findings []Finding // open ones
	Ended    []Finding // the last ones that are over
	Parts    []Component
	Silent   bool   // the worker does not answer: nobody looks after the parts
	Revival  string // Silent: the command that brings it back; "" when it is not known
}

func (Platform) template() string { return "platform" }
func (Platform) area() Area       { return AreaPlatform }

// Component is one container of the platform.
type Component struct {
	Role      string
	Container string
	State     PartState
	Since     time.Time // of its last start; zero: not told
	Restarts  int
}

// PartState is how a part of the platform is.
type PartState string

// The states of a part.
const (
	PartWell       PartState = "well"
	PartStarting   PartState = "starting"
	PartIll        PartState = "ill"        // runs, and does not answer well
	PartRestarting PartState = "restarting" // ends again and again
	PartStopped    PartState = "stopped"    // by somebody
	PartGone       PartState = "gone"
	PartUnknown    PartState = "unknown" // not looked at yet
)
