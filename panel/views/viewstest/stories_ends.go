package viewstest

import (
	"time"

	"chatiere/panel/views"
)

func ends() []Story {
	binned := []views.BinnedSite{
		{ID: "s7k2m9qx4p", Name: "Amap du Puy", Host: "amap-du-puy.lilas.coop", Association: "Amap du Puy", BinnedAt: Now.Add(-time.Hour), BinnedBy: "Léa Martin", Until: Now.AddDate(0, 0, 30), Disk: views.Known(3_412_000_000), Restore: true, Purge: true},
		{ID: "s2c4h6r8aa", Name: "Chorale Mi-Sol", Host: "chorale-misol.lilas.coop", Association: "Chorale Mi-Sol", BinnedAt: Now.AddDate(0, 0, -29), BinnedBy: "Jean Dupont", Until: Now.AddDate(0, 0, 1), ByCoop: true},
	}
	ask := func(act views.Act) views.Confirm {
		return views.Confirm{Base: Admin("/sites/s7k2m9qx4p/" + string(act)), Act: act, Action: "/sites/s7k2m9qx4p/" + string(act), Back: "/sites/s7k2m9qx4p",
			Name: "Amap du Puy", Host: "amap-du-puy.lilas.coop", Assoc: "Amap du Puy", Until: Now.AddDate(0, 0, 30), Days: 30}
	}
	purge := ask(views.ActPurge)
	purge.Disk = views.Known(3_412_000_000)
	mismatch := purge
	mismatch.Typed = views.Field{Value: "amap", Problem: views.ProblemMismatch}
	restore := ask(views.ActRecover)
	restore.Base = Admin(views.RestorePath("s7k2m9qx4p", "k3"))
	restore.Action, restore.Taken = views.RestorePath("s7k2m9qx4p", "k3"), Now.Add(-9*time.Hour)
	revoke := views.Confirm{Base: Admin("/account/tokens/t1/revoke"), Act: views.ActRevoke, Action: "/account/tokens/t1/revoke", Back: "/account", Name: "Script de l’accueil"}
	return []Story{
		{"bin", views.Bin{Base: flashed(Admin("/bin"), views.FlashRestoreAsked, "Théâtre du Lac"), Sites: binned, Days: 30}},
		{"bin-empty", views.Bin{Base: Manager("/bin"), Days: 30}},
		{"confirm-suspend", ask(views.ActSuspend)}, {"confirm-update", ask(views.ActUpdate)}, {"confirm-delete", ask(views.ActDelete)}, {"confirm-purge", purge},
		{"confirm-purge-mismatch", mismatch}, {"confirm-recover", restore}, {"confirm-revoke", revoke},
	}
}

func accounts() []Story {
	session := views.Session{Since: Now.Add(-3 * time.Hour), Until: Now.Add(9 * time.Hour), IdleMinutes: 480, Second: true, RightsAt: Now.Add(-2 * time.Minute)}
	scopes := []views.Scope{views.ScopeRead, views.ScopeWrite}
	admin := views.Account{Base: Admin("/account"), Username: "jean", Email: "jean@lilas.example", Session: session, IdentityURL: "https://id.lilas.coop/realms/chatiere/account",
		Rights: []views.Right{{Role: views.RoleAdmin}, {Role: views.RoleManager, Association: "Amap du Puy", Slug: "amap-du-puy"}}, MayTokens: true, Scopes: scopes, Sessions: openSessions(),
		Tokens: []views.Token{
			{ID: "t1", Label: "Script de l’accueil", Scope: views.ScopeRead, CreatedAt: Now.AddDate(0, -1, 0), ExpiresAt: Now.AddDate(0, 2, 0), UsedAt: Now.Add(-5 * time.Hour)},
			{ID: "t2", Label: "Sauvegarde du soir", Scope: views.ScopeWrite, CreatedAt: Now.AddDate(0, -2, 0)},
		}, Days: views.Field{Value: "90"}}
	created := admin
	created.Created = &views.CreatedToken{Label: "Script de l’accueil", Secret: "chat_7f3a9c0e5b2d4816a1c7e9f03b5d2846c8e0a2f4b6d8e1c3"}
	wrong := admin
	wrong.Tokens, wrong.Label = nil, views.Field{Problem: views.ProblemMissing}
	member := views.Account{Base: with(Member("/account"), views.NoticeIdentityDown), Username: "samira", Session: session, Rights: []views.Right{{Role: views.RoleMember, Association: "Amap du Puy", Slug: "amap-du-puy"}}}
	member.Session.RightsStale, member.Session.Second = true, false
	glass := views.Account{Base: with(Admin("/account"), views.NoticeBreakGlass), Username: "secours", Session: views.Session{Since: Now, Until: Now.Add(time.Hour), BreakGlass: true, IdleMinutes: 30},
		Sessions: []views.SessionRow{{ID: "b1", Since: Now, Seen: Now, Current: true, BreakGlass: true}}}
	nobody := views.Account{Base: with(Admin("/account"), views.NoticeNoSecond), Username: "jean", Session: views.Session{Since: Now, Until: Now.Add(time.Hour)}}
	nobody.User = &views.User{Name: "Jean Dupont", Role: views.RoleMember}
	return []Story{{"account", admin}, {"account-created", created}, {"account-wrong", wrong}, {"account-member", member}, {"account-break-glass", glass}, {"account-no-right", nobody}}
}

func troubles() []Story {
	kinds := []views.TroubleKind{
		views.TroubleMalformed, views.TroubleRefused, views.TroubleManagersOnly, views.TroubleCoopOnly, views.TroubleSignIn, views.TroubleCookies, views.TroubleSecondFactor, views.TroubleStaleForm, views.TroubleNotFound,
		views.TroubleConflict, views.TroubleGone, views.TroubleTooLarge, views.TroubleTooMany, views.TroubleInternal, views.TroubleUnavailable, views.TroubleIdentityDown,
	}
	var all []Story
	for _, k := range kinds {
		t := views.Trouble{Base: Member("/sites/s7k2m9qx4p"), Kind: k}
		switch k {
		case views.TroubleRefused, views.TroubleManagersOnly:
			t.Helpers = []string{"Léa Martin (gestion de l’Amap du Puy)", "Coop des Lilas"}
		case views.TroubleInternal, views.TroubleUnavailable:
			t.RequestID = "01j9k3f7q2"
		case views.TroubleTooMany:
			t.Wait = 2
		case views.TroubleConflict:
			t.Back = "/sites/s7k2m9qx4p"
		case views.TroubleSecondFactor:
			t.Return = "/associations"
		case views.TroubleNotFound:
			t.Base = Nobody("/nothing")
		}
		all = append(all, Story{"trouble-" + string(k), t})
	}
	return all
}

func openSessions() []views.SessionRow {
	return []views.SessionRow{
		{ID: "a1", Browser: views.BrowserFirefox, Platform: views.PlatformLinux, Since: Now.Add(-3 * time.Hour), Seen: Now.Add(-time.Minute), Network: "192.0.2.0/24", Current: true, Second: true},
		{ID: "a2", Browser: views.BrowserSafari, Platform: views.PlatformIPhone, Since: Now.AddDate(0, 0, -1), Seen: Now.Add(-5 * time.Hour), Network: "2001:db8:1234::/48"},
		{ID: "a3", Browser: "lynx", Platform: "amiga", Since: Now.AddDate(0, 0, -1), Seen: Now.Add(-7 * time.Hour)},
	}
}

func persons() []Story {
	rights := []views.Right{{Role: views.RoleAdmin}, {Role: views.RoleManager, Association: "Amap du Puy", Slug: "amap-du-puy"}}
	full := views.Person{Base: Admin("/people/u1"), Subject: "u1", Name: "Léa Martin", Username: "lea", Email: "lea@lilas.example", SeenAt: Now.Add(-3 * time.Minute),
		Rights: rights, Sessions: openSessions()[1:], Tokens: 2, Inside: []views.InsideRow{{SiteID: "s7k2m9qx4p", Host: "amap.lilas.example", Login: "lea"}}, JournalPath: "/journal?person=L%C3%A9a+Martin"}
	out := views.Person{Base: flashed(Admin("/people/u2"), views.FlashPersonOutHere, "Ali"), Subject: "u2", Name: "Ali", Username: "ali", SeenAt: Now, JournalPath: "/journal?person=Ali",
		Inside: []views.InsideRow{
			{SiteID: "s7k2m9qx4p", Host: "amap.lilas.example", Login: "ali"},
			{SiteID: "s7k2m9qx4p", Host: "amap.lilas.example", Login: "porte-de-derriere", Local: true, Administrator: true, Keys: 2},
			{SiteID: "s7k2m9qx4p", Host: "amap.lilas.example", Login: "agence", Local: true, Keys: 1, Unknown: true},
		}}
	return []Story{{"person", full}, {"person-out", out}}
}
