// Package viewstest holds sample pages in all their states, and a structural check of HTML. Tests of the
// panel use both; code that runs does not import it.
package viewstest

import (
	"time"

	"chatiere/panel/views"
)

// Story is one page in one state.
type Story struct {
	Name string
	Page views.Page
}

// Now is the clock of the stories: a Tuesday afternoon in Paris.
var Now = time.Date(2026, time.March, 3, 13, 5, 0, 0, time.UTC)

// Stories lists every page in every state it has.
func Stories() []Story {
	var all []Story
	for _, list := range [][]Story{entries(), homes(), sites(), forms(), operations(), associations(), ends(), accounts(), journals(), persons(), troubles(), wayOut()} {
		all = append(all, list...)
	}
	return all
}

func base(path string, user *views.User) views.Base {
	return views.Base{CoopName: "Coop des Lilas", CoopContact: "contact@lilas.example", User: user, CSRF: "c5rf-sample", Path: path}
}

// Admin is the base of a page as a volunteer sees it.
func Admin(path string) views.Base {
	return base(path, &views.User{Name: "Jean Dupont", Role: views.RoleAdmin})
}

// Manager is the base of a page as a person in charge of an association sees it.
func Manager(path string) views.Base {
	return base(path, &views.User{Name: "Léa Martin", Role: views.RoleManager, Associations: []string{"Amap du Puy"}})
}

// Member is the base of a page as a member sees it.
func Member(path string) views.Base {
	return base(path, &views.User{Name: "Samira Benali", Role: views.RoleMember, Associations: []string{"Amap du Puy", "Chorale Mi-Sol"}})
}

// Nobody is the base of a page without anybody signed in.
func Nobody(path string) views.Base { return base(path, nil) }

func with(b views.Base, kinds ...views.NoticeKind) views.Base {
	for _, k := range kinds {
		b.Notices = append(b.Notices, views.Notice{Kind: k, Until: Now.Add(10 * time.Minute)})
	}
	return b
}

func flashed(b views.Base, kind views.FlashKind, name string) views.Base {
	b.Flashes = append(b.Flashes, views.Flash{Kind: kind, Name: name})
	return b
}

// Row is a site in good health, to start from.
func Row() views.SiteRow {
	return views.SiteRow{
		ID: "s7k2m9qx4p", Name: "Amap du Puy", Host: "amap-du-puy.lilas.coop", URL: "https://amap-du-puy.lilas.coop:8443/",
		Template: "WordPress", Association: "Amap du Puy", AssociationSlug: "amap-du-puy", State: views.SiteReady,
		Checked: Now.Add(-20 * time.Second), RequestsToday: views.Known(1412), Disk: views.Known(3_412_000_000),
	}
}

func rows() []views.SiteRow {
	down, asleep, creating, unknown := Row(), Row(), Row(), Row()
	down.ID, down.Name, down.Host, down.Association, down.State = "s2c4h6r8aa", "Chorale Mi-Sol", "chorale-misol.lilas.coop", "Chorale Mi-Sol", views.SiteDown
	down.RequestsToday, down.Disk = views.Known(88), views.Known(640_000_000)
	asleep.ID, asleep.Name, asleep.Host, asleep.Association, asleep.State = "s3a5r7ch9v", "Archives du rugby", "archives-rugby.lilas.coop", "Rugby Club de Thiers", views.SiteAsleep
	asleep.RequestsToday, asleep.Disk = views.Known(0), views.Known(210_000_000)
	creating.ID, creating.Name, creating.Host, creating.Association, creating.State = "s4t6h8e0at", "Théâtre du Lac", "theatre-du-lac-et-de-ses-environs-immediats.lilas.coop", "Théâtre du Lac et de ses environs immédiats", views.SiteCreating
	creating.URL, creating.RequestsToday, creating.Disk = "", views.Amount{}, views.Amount{}
	unknown.ID, unknown.Host, unknown.State = "s5u7n9kn0w", "jardin.lilas.coop", views.SiteSuspended
	return []views.SiteRow{down, creating, Row(), asleep, unknown}
}

func entries() []Story {
	return []Story{
		{"sign-in", views.SignIn{Base: Nobody("/sign-in"), Return: "/sites?q=amap"}},
		{"sign-in-signed-out", views.SignIn{Base: flashed(Nobody("/sign-in"), views.FlashSignedOut, "")}},
		{"sign-in-unavailable", views.SignInUnavailable{Base: Nobody("/sign-in"), Return: "/"}},
		{"break-glass", views.BreakGlass{Base: Nobody("/break-glass"), Key: "k3y", Until: Now.Add(12 * time.Minute)}},
		{"break-glass-over", views.BreakGlass{Base: Nobody("/break-glass")}},
		{"accessibility", views.Accessibility{Base: Nobody("/accessibility"), CheckedAt: Now}},
	}
}

func homes() []Story {
	other := Row()
	other.ID, other.Name, other.Host, other.State = "s9z8y7x6wv", "Boutique de l’Amap", "boutique.lilas.coop", views.SiteAsleep
	return []Story{
		{"today-well", views.Today{Base: Admin("/"), SitesTotal: 61, SitesUp: 61, AssociationsTotal: 40, Sites: rows()[2:4]}},
		{"today-needs", views.Today{Base: Admin("/"), SitesTotal: 62, SitesUp: 61, AssociationsTotal: 40, Sites: rows(), Needs: []views.Need{
			{Kind: views.NeedSiteDown, Name: "chorale-misol.lilas.coop", Path: "/sites/s2c4h6r8aa", Since: Now.Add(-time.Hour)},
			{Kind: views.NeedDiskFull, Number: 82}, {Kind: views.NeedUpdates, Number: 3, Path: "/sites"},
		}, Running: []views.OperationRow{history()[0]}}},
		{"today-trouble", views.Today{Base: with(Admin("/"), views.NoticeWorkPaused, views.NoticeIdentityDown), SitesTotal: 3, SitesUp: 3, AssociationsTotal: 2, Sites: rows()[2:], Needs: []views.Need{
			{Kind: views.NeedWorker}, {Kind: views.NeedIdentity, Since: Now.Add(-24 * time.Hour)},
			{Kind: views.NeedOperation, Name: "amap.lilas.coop", Cause: views.CauseRefused, Path: "/operations/01x"},
			{Kind: views.NeedCertificate, Name: "*.lilas.coop"}, {Kind: views.NeedUnknown, Name: "chatiere-demo-s000000000"},
		}}},
		{"today-empty", views.Today{Base: Admin("/")}},
		{"today-empty-site", views.Today{Base: Admin("/"), AssociationsTotal: 1}},
		{"platform-well", views.Platform{Base: Admin("/platform"), Parts: []views.Component{
			{Role: "proxy", Container: "chatiere-demo-proxy", State: views.PartWell, Since: Now.Add(-50 * time.Hour)},
			{Role: "mariadb-sites", Container: "chatiere-demo-mariadb-sites", State: views.PartRestarting, Since: Now.Add(-time.Minute), Restarts: 7},
			{Role: "gateway", Container: "chatiere-demo-gateway", State: views.PartGone},
		}}},
		{"platform-silent", views.Platform{Base: with(Admin("/platform"), views.NoticeWorkPaused), Silent: true, Revival: "cd /srv/chatiere && make demo"}},
		{"platform", views.Platform{Base: Admin("/platform"), Findings: findings(), Ended: ended()}},
		{"my-sites-one", views.MySites{Base: Manager("/"), Sites: []views.SiteRow{Row()}}},
		{"my-sites-several", views.MySites{Base: Member("/"), Sites: append([]views.SiteRow{other}, rows()...)}},
		{"my-sites-none", views.MySites{Base: Member("/")}},
	}
}

func sites() []Story {
	page := func(b views.Base, state views.SiteState) views.Site {
		p := views.Site{Base: b, SiteRow: Row(), Mine: b.User.Role != views.RoleAdmin, CheckedAt: Now.Add(-40 * time.Second), CreatedAt: Now.AddDate(0, -4, 0),
			DiskLimit: 5_000_000_000, People: views.People{Total: 4, Managers: 2}, History: history()}
		p.State = state
		return p
	}
	admin := page(Admin("/sites/s7k2m9qx4p"), views.SiteReady)
	admin.May = views.SiteActs{Suspend: true, Update: true, Delete: true, Enter: true}
	admin.Mode, admin.Modes = "autonome", []string{"mutualise"}
	admin.Technical = &views.Technical{Version: "6.8.3", UID: 200001, Container: "chatiere-demo-s7k2m9qx4p", Database: "site_s7k2m9qx4p", DataPath: "/var/lib/chatiere/sites/s7k2m9qx4p/data", MemoryMiB: 256}
	manager := page(Manager("/sites/s7k2m9qx4p"), views.SiteReady)
	manager.Egress = true
	manager.May = views.SiteActs{Delete: true, Enter: true}
	down := page(Manager("/sites/s7k2m9qx4p"), views.SiteDown)
	suspended := page(flashed(Admin("/sites/s7k2m9qx4p"), views.FlashSuspendAsked, "Amap du Puy"), views.SiteSuspended)
	suspended.May, suspended.URL = views.SiteActs{Resume: true, Delete: true}, ""
	binned := page(Manager("/sites/s7k2m9qx4p"), views.SiteBinned)
	binned.May, binned.URL, binned.BinnedUntil = views.SiteActs{Restore: true, Purge: true}, "", Now.AddDate(0, 0, 30)
	unknown := page(with(Member("/sites/s7k2m9qx4p"), views.NoticeStateUnknown), views.SiteUnknown)
	unknown.RequestsToday, unknown.Disk, unknown.CheckedAt = views.Amount{}, views.Amount{}, time.Time{}
	changing := page(Manager("/sites/s7k2m9qx4p"), views.SiteChanging)
	changing.Running = &history()[0]
	changing.History = nil
	manager.Findings = findings()[1:2]
	manager.Backups, admin.Backups, down.Backups = backups(), &views.Backups{Save: true, Restore: true}, backups()
	down.Backups.Running, down.Backups.More = "01j000000000000000000004", 9
	manager.Mail, admin.Mail, down.Mail = mailbox(), &views.Mailbox{Open: true, Hourly: 200, Left: 200}, &views.Mailbox{}
	return []Story{
		{"sites", views.Sites{Base: Admin("/sites"), Sites: rows(), Total: 5, Create: true}},
		{"sites-found", views.Sites{Base: Admin("/sites?q=amap"), Query: "amap", Sites: rows()[2:3], Total: 5, Create: true}},
		{"sites-not-found", views.Sites{Base: Admin("/sites?q=zzz"), Query: "zzz", Total: 5, Create: true}},
		{"sites-empty", views.Sites{Base: Admin("/sites"), Create: true}},
		{"site-admin", admin}, {"site-manager", manager}, {"site-down", down}, {"site-suspended", suspended},
		{"site-binned", binned}, {"site-unknown", unknown}, {"site-changing", changing},
		{"site-asleep", page(Member("/sites/s7k2m9qx4p"), views.SiteAsleep)},
		{"site-quarantined", page(Member("/sites/s7k2m9qx4p"), views.SiteQuarantined)},
		{"site-creating", page(Member("/sites/s7k2m9qx4p"), views.SiteCreating)},
	}
}

func findings() []views.Finding {
	return []views.Finding{
		{Code: "unknown-container", Args: map[string]string{"subject": "chatiere-demo-s000000000"}, Level: views.FindingTrouble, About: "chatiere-demo-s000000000", Since: Now.Add(-time.Hour)},
		{Code: "changed-by-hand", Args: map[string]string{"what": "memory"}, Level: views.FindingAttention, About: "amap-du-puy.lilas.coop", Path: "/sites/s7k2m9qx4p", Since: Now.Add(-30 * time.Hour)},
		{Code: "of-a-newer-worker", Level: views.FindingNote, Since: Now.AddDate(0, 0, -3)},
	}
}

func ended() []views.Finding {
	over := findings()
	for i := range over {
		over[i].Ended = Now.Add(-time.Minute)
	}
	return over
}

func history() []views.OperationRow {
	return []views.OperationRow{
		{ID: "01j000000000000000000003", Kind: views.KindRepair, State: views.OperationRunning, Subject: "amap-du-puy.lilas.coop", AskedAt: Now.Add(-time.Minute)},
		{ID: "01j000000000000000000002", Kind: views.KindResume, State: views.OperationUndone, Subject: "amap-du-puy.lilas.coop", AskedBy: "Jean Dupont", AskedAt: Now.Add(-26 * time.Hour), Took: 80 * time.Second},
		{ID: "01j000000000000000000001", Kind: views.KindProvision, State: views.OperationDone, Subject: "amap-du-puy.lilas.coop", AskedBy: "Jean Dupont", AskedAt: Now.AddDate(0, -4, 0), Took: 2300 * time.Millisecond},
	}
}
