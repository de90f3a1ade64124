package viewstest

import (
	"time"

	"chatiere/panel/views"
)

func journals() []Story {
	acts := []views.AuditAct{views.AuditSiteCreate, views.AuditSessionOpen, "egress.invented"}
	whole := views.AuditLog{
		Base: Admin("/journal"), Path: "/journal", Whole: true, Acts: acts, People: []string{"Jean Dupont", "Léa Martin (Script de l’accueil)"},
		Associations: []views.Choice{{Value: "amap-du-puy", Label: "Amap du Puy"}}, Next: "/journal?before=1-1",
		Rows: []views.AuditRow{
			{ID: 5, At: Now, Who: "Jean Dupont", Subject: "u1", Kind: views.ActorPerson, Act: views.AuditSiteCreate, Association: "Amap du Puy", Slug: "amap-du-puy",
				Site: "theatre-du-lac-et-de-ses-environs-immediats.lilas.coop", SiteID: "s7k2m9qx4p", Operation: "01j", Address: "2001:db8:1234:5678:9abc:def0:1234:5678"},
			{ID: 4, At: Now.Add(-time.Minute), Who: "Léa Martin (Script de l’accueil)", Kind: views.ActorToken, Act: views.AuditSiteDelete, Association: "Amap du Puy", Slug: "amap-du-puy", SiteID: "s2c4h6r8aa", Address: "192.0.2.7"},
			{ID: 3, At: Now.Add(-time.Hour), Who: "local", Kind: views.ActorLocal, Act: views.AuditBreakGlassIssue},
			{ID: 2, At: Now.AddDate(0, 0, -1), Who: "chatiere", Kind: views.ActorSystem, Act: "egress.invented", Detail: "a detail"},
			{ID: 6, At: Now.AddDate(0, 0, -1), Who: "Jean Dupont", Kind: views.ActorPerson, Act: views.AuditSessionOpen, Detail: "second factor"},
			{ID: 1, At: Now.AddDate(0, 0, -2), Who: "Jean Dupont", Kind: views.ActorPerson, Act: views.AuditAssociationCreate, Association: "Amap du Puy", Slug: "amap-du-puy"},
		},
	}
	narrowed := whole
	narrowed.Rows, narrowed.Next, narrowed.Association, narrowed.From, narrowed.To = nil, "", "amap-du-puy", "2026-03-01", "2026-03-02"
	manager := whole
	manager.Base, manager.Path, manager.Name, manager.Back = Manager("/associations/amap-du-puy/journal"), "/associations/amap-du-puy/journal", "Amap du Puy", "/associations/amap-du-puy"
	manager.Whole, manager.Associations, manager.Later = false, nil, true
	manager.Rows = []views.AuditRow{whole.Rows[5]}
	empty := manager
	empty.Rows, empty.Next, empty.Later, empty.Acts, empty.People = nil, "", false, nil, nil
	return []Story{{"journal", whole}, {"journal-narrowed", narrowed}, {"journal-manager", manager}, {"journal-empty", empty}}
}
