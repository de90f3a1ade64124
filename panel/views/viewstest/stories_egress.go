package viewstest

import (
	"time"

	"chatiere/panel/views"
)

func wayOut() []Story {
	ask := "/sites/s7k2m9qx4p/egress/ask?name=tracker.example.org&port=443"
	full := views.SiteEgress{
		Base: Manager("/sites/s7k2m9qx4p/egress"), ID: "s7k2m9qx4p", Name: "Amap du Puy", Host: "amap-du-puy.lilas.coop", Mine: true, Days: 7, Ask: true,
		Refused: []views.AttemptRow{
			{Name: "tracker.example.org", Port: 443, Reason: views.AttemptNotListed, Count: 1412, First: Now.AddDate(0, 0, -6), Last: Now.Add(-time.Minute), AskPath: ask},
			{Name: "169.254.169.254", Port: 80, Reason: views.AttemptAddress, Count: 1, First: Now, Last: Now},
			{Name: "un-nom-qui-n-en-finit-pas.et-qui-continue-encore.longtemps.sous.exemple.example.org", Reason: views.AttemptNotListed, Count: 3, First: Now, Last: Now, AskPath: ask},
			{Reason: views.AttemptManyNames, Count: 99_412, First: Now.AddDate(0, 0, -1), Last: Now},
		},
		Reached: []views.AttemptRow{
			{Name: "api.wordpress.org", Port: 443, Count: 88, Bytes: 3_412_000, First: Now.AddDate(0, 0, -6), Last: Now.Add(-time.Hour)},
			{Name: "downloads.wordpress.org", Port: 443, Failed: true, Reason: views.AttemptUnreachable, Count: 2, First: Now, Last: Now},
		},
		Listed: []views.AllowedName{{Name: "*.wordpress.org", Ports: "443"}, {Name: "smtp.lilas.coop", Ports: "465, 587", Coop: true}},
		Open: []views.Grant{{ID: "e7k2m9qx4p", Name: "api.helloasso.com", Ports: "443", Reason: "Les adhésions passent par HelloAsso", State: views.GrantAsked,
			AskedBy: "Léa Martin", AskedAt: Now.Add(-time.Hour)}},
		Granted: []views.Grant{{ID: "e7k2m9qx4q", Name: "tile.openstreetmap.org", Ports: "443", Reason: "La carte des points de retrait", State: views.GrantGranted,
			AskedBy: "Léa Martin", AskedAt: Now.AddDate(0, -1, 0), DecidedBy: "Jean Dupont", DecidedAt: Now.AddDate(0, -1, 1)}},
		Closed: []views.Grant{
			{ID: "e7k2m9qx4r", Name: "*.example.net", Ports: "443", State: views.GrantRefused, DecidedBy: "Jean Dupont", DecidedAt: Now.AddDate(0, -1, 0), Answer: "Trop large : quel serveur précisément ?"},
			{ID: "e7k2m9qx4s", Name: "old.example.net", Ports: "8443", State: views.GrantRevoked, DecidedBy: views.OnServer, DecidedAt: Now.AddDate(0, -2, 0)},
		},
	}
	admin := full
	admin.Base, admin.Mine, admin.Decide = flashed(Admin("/sites/s7k2m9qx4p/egress"), views.FlashAccessGranted, "tile.openstreetmap.org"), false, true
	empty := views.SiteEgress{Base: Manager("/sites/s7k2m9qx4p/egress"), ID: "s7k2m9qx4p", Name: "Amap du Puy", Host: "amap-du-puy.lilas.coop", Mine: true, Days: 7, Ask: true}
	form := views.AskAccess{Base: Manager("/sites/s7k2m9qx4p/egress/ask"), ID: "s7k2m9qx4p", Host: "amap-du-puy.lilas.coop", Ports: views.Field{Value: "443"}}
	wrong := form
	wrong.Name = views.Field{Value: "10.0.0.1", Problem: "address"}
	wrong.Ports = views.Field{Value: "25", Problem: "mail"}
	wrong.Reason = views.Field{Problem: views.ProblemMissing}
	return []Story{{"egress-manager", full}, {"egress-admin", admin}, {"egress-empty", empty}, {"egress-ask", form}, {"egress-ask-again", wrong}}
}
