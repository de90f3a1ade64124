package views

import (
	"net/url"
	"slices"
	"time"
)

// SessionRow is one browser somebody is signed in with.
type SessionRow struct {
	ID         string
	Browser    Browser
	Platform   DevicePlatform
	Since      time.Time
	Seen       time.Time
	Network    string // it was last used from; "" when it is not known
	Current    bool   // the reader's own
	Second     bool
	BreakGlass bool
}

// Browser is what somebody looks through. One without words is shown as BrowserOther.
type Browser string

// The browsers that have names.
const (
	BrowserFirefox Browser = "firefox"
	BrowserChrome  Browser = "chrome"
	BrowserEdge    Browser = "edge"
	BrowserSafari  Browser = "safari"
	BrowserOpera   Browser = "opera"
	BrowserSamsung Browser = "samsung"
	BrowserOther   Browser = "other"
)

// DevicePlatform is what it runs on. One without words is shown as PlatformOther.
type DevicePlatform string

// The devices that have names.
const (
	PlatformWindows    DevicePlatform = "windows"
	PlatformMac        DevicePlatform = "mac"
	PlatformLinux      DevicePlatform = "linux"
	PlatformAndroid    DevicePlatform = "android"
	PlatformIPhone     DevicePlatform = "iphone"
	PlatformIPad       DevicePlatform = "ipad"
	PlatformChromebook DevicePlatform = "chromebook"
	PlatformOther      DevicePlatform = "other"
)

// Person is what the co-op sees of somebody. Template person. Its form posts csrf and keys ("1": revoke them too) to
// PersonPath + "/sign-out".
type Person struct {
	Base
	Subject     string
	Name        string
	Username    string
	Email       string
	SeenAt      time.Time // when the directory was last asked about them
	Rights      []Right
	Sessions    []SessionRow
	Tokens      int
	Inside      []InsideRow
	JournalPath string
}

// Left tells whether somebody without any right left accounts inside sites that still let in.
func (p Person) Left() bool {
	return len(p.Rights) == 0 && slices.ContainsFunc(p.Inside, func(r InsideRow) bool { return r.Local })
}

// InsideRow is an account inside a site: the person's own, or one that lets in without the panel.
type InsideRow struct {
	SiteID        string
	Host          string
	Login         string
	Local         bool
	Administrator bool
	Keys          int
	Unknown       bool // nobody knows who made it
}

func (Person) template() string { return "person" }
func (Person) area() Area       { return AreaAssociations }

// PersonPath leads to what the co-op sees of somebody. Below it: /sign-out (POST).
func PersonPath(subject string) string { return "/people/" + url.PathEscape(subject) }

// SessionEndPath ends one session of one's own (POST).
func SessionEndPath(id string) string { return PathSessions + "/" + url.PathEscape(id) + "/end" }
