package tenants

import (
	"slices"
	"time"
)

// Finding is something the platform noticed and could not mend, or that people should know; it is said once and stays
// open until it is no longer seen.
type Finding struct {
	Area    Area
	Subject string // a role of the platform, a site's id, or whatever else the area is about; ASCII
	Code    FindingCode
	Args    map[string]string // fill the words of the code; never a secret
	Level   Level
	Since   time.Time  // when it was first seen, of this time
	Seen    time.Time  // when it was last seen, to the minute
	Ended   *time.Time // when it was no longer seen; nil while it is open
}

// Open reports whether it still holds.
func (f Finding) Open() bool { return f.Ended == nil }

// Area is the part of the platform that a finding is about.
type Area string

// The areas. Each has one who looks, and whose word replaces what was said before.
const (
	AreaPlatform Area = "platform" // the platform's own containers
	AreaSite     Area = "site"
	AreaEgress   Area = "egress"
	AreaMail     Area = "mail"
	AreaDisk     Area = "disk"
	AreaDatabase Area = "database" // the sites' databases
	AreaRecords  Area = "records"
	AreaAudit    Area = "audit"
	AreaSpool    Area = "spool" // files between the roles
)

// Level is how much a finding matters.
type Level string

// The levels.
const (
	LevelNote      Level = "note"      // good to know
	LevelAttention Level = "attention" // to be looked at in the next days
	LevelTrouble   Level = "trouble"   // somebody is harmed, or will be soon
)

// FindingCode is the key of a finding's words: "finding.<code>" and, where people can do something about it,
// "finding.<code>.do" in panel/views/{fr,en}.json.
type FindingCode string

// FindingScope is the part of an area that somebody has looked over. Nil lists do not narrow.
type FindingScope struct {
	Area     Area
	Subjects []string
	Codes    []FindingCode
}

// Holds reports whether a finding lies in the scope.
func (s FindingScope) Holds(f Finding) bool {
	return f.Area == s.Area && (s.Subjects == nil || slices.Contains(s.Subjects, f.Subject)) &&
		(s.Codes == nil || slices.Contains(s.Codes, f.Code))
}

// FindingFilter narrows a list of findings; zero values do not narrow.
type FindingFilter struct {
	Area       Area
	Subject    string
	EndedAfter time.Time // zero: open ones alone; else also those that ended after it
}
