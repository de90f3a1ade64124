//go:build integration

package mysql_test

import (
	"reflect"
	"testing"

	"chatiere/tenants"
)

func TestWhoMayEnterAreManagersAndTheCoopsAdmins(t *testing.T) {
	ctx, s := store(t)
	a := association(t, ctx, s, "lilas")
	ada := member("sub-ada", "Ada", nil)
	ada.CoopAdmin = true
	must(t, s.SaveMember(ctx, ada))
	must(t, s.SaveMembers(ctx, a.ID, []tenants.Member{
		member("sub-zoe", "Zoé", map[string]tenants.Role{"lilas": tenants.RoleManager}), member("sub-max", "Max", map[string]tenants.Role{"lilas": tenants.RoleMember}),
	}))
	must(t, s.SignedOut(ctx, "sub-zoe", at))
	must(t, s.SignedOut(ctx, "sub-nobody", at))
	want := map[string][]tenants.Entrant{"": {{Subject: "sub-ada"}}, a.ID: {{Subject: "sub-zoe", SignedOutAt: at}}}
	if got, err := s.Entrants(ctx); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	// Reading the directory again does not forget when the sessions ended.
	must(t, s.SaveMembers(ctx, a.ID, []tenants.Member{member("sub-zoe", "Zoé", map[string]tenants.Role{"lilas": tenants.RoleManager})}))
	if got, err := s.Entrants(ctx); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("after another reading: %+v (%v), want %+v", got, err, want)
	}
}

func TestWhoLeftAccountsInsideASiteIsKnownUntilTheyAreGone(t *testing.T) {
	ctx, s := store(t)
	a := association(t, ctx, s, "lilas")
	x := site(t, ctx, s, a, "lilas.example")
	zoe := member("sub-zoe", "Zoé", map[string]tenants.Role{"lilas": tenants.RoleManager})
	must(t, s.SaveMembers(ctx, a.ID, []tenants.Member{zoe}))
	own := tenants.SiteAccount{SiteID: x.ID, Login: "zoe", Administrator: true, Subjects: []string{"sub-zoe"}}
	left := tenants.SiteAccount{SiteID: x.ID, Login: "porte", Local: true, Administrator: true, Keys: 2, Subjects: []string{"sub-zoe"}}
	unknown := tenants.SiteAccount{SiteID: x.ID, Login: "agence", Local: true, Keys: 1}
	both := left
	both.Subjects = []string{"sub-zoe", "sub-max", "sub-zoe"}
	must(t, s.SaveSiteAccounts(ctx, x.ID, []tenants.SiteAccount{own, both, unknown}))
	must(t, s.SaveMembers(ctx, a.ID, nil))
	if _, err := s.Person(ctx, "sub-zoe"); err != nil {
		t.Errorf("she is forgotten with her right: %v", err)
	}
	if got, err := s.SiteAccountsOf(ctx, "sub-zoe"); err != nil || !reflect.DeepEqual(got, []tenants.SiteAccount{own, unknown, left}) {
		t.Errorf("got %+v (%v), want %+v, %+v and %+v", got, err, own, unknown, left)
	}
	// Max has no account there: what nobody is known to have made is not his.
	if got, err := s.SiteAccountsOf(ctx, "sub-max"); err != nil || len(got) != 2 {
		t.Errorf("of Max: %+v (%v)", got, err)
	}
	must(t, s.SaveSiteAccounts(ctx, x.ID, []tenants.SiteAccount{unknown}))
	_, err := s.Person(ctx, "sub-zoe")
	wants(t, "somebody of whom nothing is left", err, tenants.ErrNotFound)
	x.State = tenants.StatePurged
	must(t, s.UpdateSite(ctx, x))
	must(t, s.SaveSiteAccounts(ctx, "s000000000", nil))
	if got, err := s.SiteAccountsOf(ctx, ""); err != nil || len(got) != 0 {
		t.Errorf("of a site that is gone: %+v (%v)", got, err)
	}
}
