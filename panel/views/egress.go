package views

import "time"

// SiteEgress shows a site's egress attempts, allowed names and requests. Template egress.
type SiteEgress struct {
	Base
	ID, Name, Host string
	Mine           bool // the reader is of its association
	Days           int  // how many days are told of, today included
	Refused        []Tried
	Reached        []Tried // and what could not be reached although it may
	Listed         []AllowedName
	Open           []Grant // wait for a decision
	Granted        []Grant
	Closed         []Grant // refused or taken back
	Ask            bool    // the reader may ask
	Decide         bool    // the reader may grant, refuse, take back
}

func (SiteEgress) template() string { return "egress" }

func (p SiteEgress) area() Area {
	if p.Mine {
		return AreaMySites
	}
	return AreaSites
}

// Tried is one port of one name.
type Tried struct {
	Name    string // empty: names too many to tell apart
	Port    int    // 0: refused already when the name was looked up
	Failed  bool   // allowed, and the server did not answer
	Reason  TryReason
	Count   int64
	Bytes   int64
	First   time.Time
	Last    time.Time
	AskPath string // where to ask for it; "" when that would change nothing
}

// AllowedName is a name that the site may reach by its template or by the co-op's configuration.
type AllowedName struct {
	Name  string
	Ports string // "443, 587"
	Coop  bool
}

// Grant is a request for a name and the decision on it.
type Grant struct {
	ID, Name, Ports string
	Reason          string
	State           GrantState
	AskedBy         string
	AskedAt         time.Time
	DecidedBy       string
	DecidedAt       time.Time
	Answer          string
}

// GrantState is the state of a request.
type GrantState string

// The states of a request.
const (
	GrantAsked   GrantState = "asked"
	GrantGranted GrantState = "granted"
	GrantRefused GrantState = "refused"
	GrantRevoked GrantState = "revoked"
)

// TryReason is why something was not reached, as people are told it.
type TryReason string

// The reasons people are told; the rest is TryOther.
const (
	TryReached  TryReason = ""
	TryNotThere TryReason = "name"    // not on the list
	TryPort     TryReason = "port"    // on the list, not with that port
	TryInside   TryReason = "inside"  // the name leads to a private network
	TryAddress  TryReason = "address" // an address instead of a name
	TryLimit    TryReason = "limit"   // too many or too fast
	TryNaming   TryReason = "tls"     // the TLS client hello was for another server
	TryOwnName  TryReason = "own"     // the way to the site's own name, used for another
	TryAbsent   TryReason = "absent"  // the name does not exist
	TrySilent   TryReason = "silent"  // the server does not answer
	TryMail     TryReason = "mail"    // mail that was not taken; the part about mail says why
	TryMany     TryReason = "many"    // many names, summed
	TryOther    TryReason = "other"
)

// reasons puts the gateway's words into ours.
var reasons = map[string]TryReason{
	"": TryReached, "name not in list": TryNotThere, "port not in list": TryPort, "address not public": TryInside,
	"bare address": TryAddress, "too many tunnels": TryLimit, "too many tunnels of all sites": TryLimit, "too many attempts": TryLimit,
	"TLS greeting for another server name": TryNaming, "TLS greeting without a server name": TryNaming,
	"TLS greeting with a hidden server name": TryNaming, "no TLS greeting": TryNaming, "resolving name": TryAbsent, "dialling": TrySilent,
	"own name led elsewhere": TryOwnName, "own proxy not reachable": TrySilent, "many names": TryMany,
	"no mail relay configured": TryMail, "mail cannot be kept": TryMail, "sender not of this site": TryMail, "header too large": TryMail,
	"SMTP error 552: Maximum message size exceeded": TryMail, "message not acceptable": TryMail,
	"too much mail of this site is waiting": TryMail, "too much mail is waiting": TryMail, "no room on the disk for mail": TryMail,
}

// TryReasonOf tells which of our reasons the gateway's is.
func TryReasonOf(gateway string) TryReason {
	if r, ok := reasons[gateway]; ok {
		return r
	}
	return TryOther
}

// Listable tells whether a place on the list would change something.
func (r TryReason) Listable() bool { return r == TryNotThere || r == TryPort }

// AskAccess is the form that asks for a name. Template egress-ask. Fields posted: csrf, name, ports, reason.
type AskAccess struct {
	Base
	ID, Host string
	Name     Field
	Ports    Field
	Reason   Field
}

func (AskAccess) template() string { return "egress-ask" }
func (p AskAccess) area() Area     { return sitesArea(p.Base) }
