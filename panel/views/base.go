package views

import "time"

// Page is what Set.Render draws: one struct of this package per page.
type Page interface {
	// template names the file under templates/ that holds the page's content.
	template() string
	// area says which entry of the navigation is the current one.
	area() Area
	common() Base
}

// Base is what every page needs beside its own content. Pages embed it.
type Base struct {
	CoopName    string // as people say it: "Coop des Lilas"
	CoopContact string // e-mail address or URL of the people who can help; empty hides it
	User        *User  // nil: nobody is signed in
	CSRF        string // goes into every form as the field "csrf"
	Path        string // path and query of this page, for the language switch; "" means "/"
	Notices     []Notice
	Flashes     []Flash
}

func (b Base) common() Base { return b }

// User is who is signed in.
type User struct {
	Name         string
	Role         Role
	Associations []string // names, for the line under the person's name
}

// Role decides the navigation; what a person may do is said by each page's own fields.
type Role string

// The roles, from the least to the most.
const (
	RoleMember  Role = "member"
	RoleManager Role = "manager"
	RoleAdmin   Role = "admin"
)

// Area is one entry of the navigation.
type Area string

// The areas of the panel. AreaNone is for pages outside the navigation.
const (
	AreaNone         Area = ""
	AreaToday        Area = "today"
	AreaMySites      Area = "my-sites"
	AreaSites        Area = "sites"
	AreaAssociations Area = "associations"
	AreaBin          Area = "bin"
	AreaPlatform     Area = "platform"
	AreaAccount      Area = "account"
)

// sitesArea is where sites stand in the reader's navigation.
func sitesArea(b Base) Area {
	if b.User != nil && b.User.Role != RoleAdmin {
		return AreaMySites
	}
	return AreaSites
}

// Notice is a lasting circumstance shown above the page.
type Notice struct {
	Kind  NoticeKind
	Until time.Time // NoticeBreakGlass: end of the access
}

// NoticeKind names a circumstance; the words are in the catalogues.
type NoticeKind string

// The circumstances a page may have to announce.
const (
	NoticeWorkPaused   NoticeKind = "work-paused"   // no worker: what is asked waits
	NoticeIdentityDown NoticeKind = "identity-down" // Keycloak does not answer: dangerous acts are refused
	NoticeStateUnknown NoticeKind = "state-unknown" // the panel cannot learn the sites' state right now
	NoticeBreakGlass   NoticeKind = "break-glass"   // signed in by the break-glass link
	NoticeNoSecond     NoticeKind = "no-second"     // an admin signed in without the second factor
)

// Flash is a message about what was just done, shown once.
type Flash struct {
	Kind FlashKind
	Name string // the site, association or token it is about
}

// FlashKind names an outcome; the words are in the catalogues.
type FlashKind string

// The outcomes a page may have to tell.
const (
	FlashSuspendAsked  FlashKind = "suspend-asked"
	FlashResumeAsked   FlashKind = "resume-asked"
	FlashDeleteAsked   FlashKind = "delete-asked"
	FlashRestoreAsked  FlashKind = "restore-asked"
	FlashPurgeAsked    FlashKind = "purge-asked"
	FlashCancelAsked   FlashKind = "cancel-asked"
	FlashTokenRevoked  FlashKind = "token-revoked"
	FlashSignedOut     FlashKind = "signed-out"
	FlashSessionEnded  FlashKind = "session-ended"
	FlashSignedOutAll  FlashKind = "signed-out-all"
	FlashPersonOut     FlashKind = "person-out"
	FlashPersonOutHere FlashKind = "person-out-here"
	FlashAlreadyAsked  FlashKind = "already-asked"

	FlashAccessAsked   FlashKind = "access-asked"
	FlashAccessGranted FlashKind = "access-granted"
	FlashAccessRefused FlashKind = "access-refused"
	FlashAccessRevoked FlashKind = "access-revoked"
)

// Field is one field of a form that came back: what was typed and what is wrong with it.
type Field struct {
	Value   string
	Problem Problem
}

// Problem says what is wrong with a field; empty means nothing. The values are the codes of the domain's
// faults, so that a code becomes a Problem by conversion; one without words gets those of ProblemOther.
type Problem string

// The problems a form explains under its field.
const (
	ProblemNone      Problem = ""
	ProblemMissing   Problem = "missing"
	ProblemTaken     Problem = "taken"
	ProblemReserved  Problem = "reserved"
	ProblemMalformed Problem = "malformed"
	ProblemInvisible Problem = "invisible" // signs that nobody sees, or that turn the direction of others
	ProblemForeign   Problem = "foreign"   // outside the co-op's domain
	ProblemTooShort  Problem = "too_short"
	ProblemTooLong   Problem = "too_long"
	ProblemUnknown   Problem = "unknown"  // a choice that is not offered
	ProblemMismatch  Problem = "mismatch" // the address typed to confirm is not the right one
	ProblemQuota     Problem = "quota"    // the association has as many sites as it may
	ProblemOther     Problem = "other"
)
