//go:build integration

package mysql_test

import (
	"context"
	"reflect"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/mysql"
)

func member(subject, name string, memberships map[string]tenants.Role) tenants.Member {
	return tenants.Member{
		Subject: subject, Username: "u-" + subject, Name: name, Email: subject + "@lilas.example", Memberships: memberships, SeenAt: at,
	}
}

func TestTheMirrorOfMembersIsReplacedAsAWhole(t *testing.T) {
	ctx, s := store(t)
	a, b := association(t, ctx, s, "lilas"), association(t, ctx, s, "roses")
	zoe := member("sub-zoe", "Zoé", map[string]tenants.Role{"lilas": tenants.RoleManager})
	max := member("sub-max", "Max", map[string]tenants.Role{"lilas": tenants.RoleMember})
	must(t, s.SaveMembers(ctx, a.ID, []tenants.Member{zoe, max}))
	must(t, s.SaveMembers(ctx, b.ID, []tenants.Member{member("sub-max", "Max", map[string]tenants.Role{"roses": tenants.RoleManager})}))
	if got, err := s.Members(ctx, a.ID); err != nil || !reflect.DeepEqual(got, []tenants.Member{max, zoe}) {
		t.Errorf("got %+v (%v), want %+v and %+v", got, err, max, zoe)
	}
	must(t, s.SaveMembers(ctx, a.ID, nil))
	if got, err := s.Members(ctx, a.ID); err != nil || len(got) != 0 {
		t.Errorf("got %+v (%v), want none", got, err)
	}
	if got, err := s.Members(ctx, b.ID); err != nil || len(got) != 1 || got[0].Subject != "sub-max" {
		t.Errorf("the other association has %+v (%v), want Max", got, err)
	}
	_, err := s.Person(ctx, "sub-zoe")
	wants(t, "somebody who belongs to nothing", err, tenants.ErrNotFound)
	wants(t, "members of no association", s.SaveMembers(ctx, "a000000000", nil), tenants.ErrNotFound)
}

func TestASignInSaysEverythingOfAPerson(t *testing.T) {
	ctx, _, d := storeOn(t)
	s := as(t, ctx, d.Config(d.Panel)) // sign-ins are the panel's
	association(t, ctx, s, "lilas")
	association(t, ctx, s, "roses")
	p := member("sub-zoe", "Zoé", map[string]tenants.Role{"lilas": tenants.RoleManager, "roses": tenants.RoleMember})
	p.CoopAdmin = true
	must(t, s.SavePerson(ctx, p))
	p.Memberships["gone"] = tenants.RoleMember
	must(t, s.SavePerson(ctx, p))
	delete(p.Memberships, "gone")
	known(t, ctx, s, p)
	p.Memberships, p.Name = map[string]tenants.Role{"roses": tenants.RoleManager}, "Zoé B."
	must(t, s.SavePerson(ctx, p))
	known(t, ctx, s, p)
}

func TestAnAssociationsGroupsDoNotMakeOrUnmakeAdmins(t *testing.T) {
	ctx, s := store(t)
	a := association(t, ctx, s, "lilas")
	admin := member("sub-zoe", "Zoé", nil)
	admin.CoopAdmin = true
	must(t, s.SavePerson(ctx, admin))
	must(t, s.SaveMembers(ctx, a.ID, []tenants.Member{member("sub-zoe", "Zoé", map[string]tenants.Role{"lilas": tenants.RoleMember})}))
	must(t, s.SaveMembers(ctx, a.ID, nil))
	if got, err := s.Person(ctx, "sub-zoe"); err != nil || !got.CoopAdmin {
		t.Errorf("got %+v (%v), want an admin still", got, err)
	}
}

func known(t *testing.T, ctx context.Context, s *mysql.Store, want tenants.Member) {
	t.Helper()
	if got, err := s.Person(ctx, want.Subject); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
}
