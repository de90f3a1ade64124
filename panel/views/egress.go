package views

import "time"

// SiteEgress shows a site's egress attempts, allowed names and requests. Template egress.
type SiteEgress struct {
	Base
	ID, Name, Host string
	Mine           bool // the reader is of its association
	Days           int  // how many days are told of, today included
	Refused        []AttemptRow
	Reached        []AttemptRow // and what could not be reached although it may
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

// AttemptRow is the attempts to reach one port of one name.
type AttemptRow struct {
	Name    string // empty: names too many to tell apart
	Port    int    // 0: refused already when the name was looked up
	Failed  bool   // allowed, and the server did not answer
	Reason  AttemptReason
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

// AttemptReason is why an attempt failed, as shown to people.
type AttemptReason string

// The reasons that are shown; all others are AttemptOther.
const (
	AttemptReached     AttemptReason = ""
	AttemptNotListed   AttemptReason = "name"    // not on the list
	AttemptPort        AttemptReason = "port"    // on the list, not with that port
	AttemptNotPublic   AttemptReason = "inside"  // the name leads to a private network
	AttemptAddress     AttemptReason = "address" // an address instead of a name
	AttemptLimit       AttemptReason = "limit"   // too many or too fast
	AttemptServerName  AttemptReason = "tls"     // the TLS client hello was for another server
	AttemptOwnName     AttemptReason = "own"     // the way to the site's own name, used for another
	AttemptNoName      AttemptReason = "absent"  // the name does not exist
	AttemptUnreachable AttemptReason = "silent"  // the server does not answer
	AttemptMail        AttemptReason = "mail"    // mail that was not taken; the part about mail says why
	AttemptManyNames   AttemptReason = "many"    // many names, summed
	AttemptOther       AttemptReason = "other"
)

// reasons maps the gateway's reasons.
var reasons = map[string]AttemptReason{
	"": AttemptReached, "name not in list": AttemptNotListed, "port not in list": AttemptPort, "address not public": AttemptNotPublic,
	"bare address": AttemptAddress, "too many tunnels": AttemptLimit, "too many tunnels of all sites": AttemptLimit, "too many attempts": AttemptLimit,
	"TLS greeting for another server name": AttemptServerName, "TLS greeting without a server name": AttemptServerName,
	"TLS greeting with a hidden server name": AttemptServerName, "no TLS greeting": AttemptServerName, "resolving name": AttemptNoName, "dialling": AttemptUnreachable,
	"own name led elsewhere": AttemptOwnName, "own proxy not reachable": AttemptUnreachable, "many names": AttemptManyNames,
	"no mail relay configured": AttemptMail, "mail cannot be kept": AttemptMail, "sender not of this site": AttemptMail, "header too large": AttemptMail,
	"SMTP error 552: Maximum message size exceeded": AttemptMail, "message not acceptable": AttemptMail,
	"too much mail of this site is waiting": AttemptMail, "too much mail is waiting": AttemptMail, "no room on the disk for mail": AttemptMail,
}

// AttemptReasonOf maps a reason of the gateway.
func AttemptReasonOf(gateway string) AttemptReason {
	if r, ok := reasons[gateway]; ok {
		return r
	}
	return AttemptOther
}

// Listable reports whether an entry on the list would help.
func (r AttemptReason) Listable() bool { return r == AttemptNotListed || r == AttemptPort }

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
