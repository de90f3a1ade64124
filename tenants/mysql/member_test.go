//go:build integration

package mysql_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

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
	s := as(t, d.Config(d.Panel)) // sign-ins are the panel's
	association(t, ctx, s, "lilas")
	association(t, ctx, s, "roses")
	p := member("sub-zoe", "Zoé", map[string]tenants.Role{"lilas": tenants.RoleManager, "roses": tenants.RoleMember})
	p.CoopAdmin = true
	must(t, s.SaveMember(ctx, p))
	p.Memberships["gone"] = tenants.RoleMember
	must(t, s.SaveMember(ctx, p))
	delete(p.Memberships, "gone")
	known(t, ctx, s, p)
	p.Memberships, p.Name = map[string]tenants.Role{"roses": tenants.RoleManager}, "Zoé B."
	must(t, s.SaveMember(ctx, p))
	known(t, ctx, s, p)
}

func TestAnAssociationsGroupsDoNotMakeOrUnmakeAdmins(t *testing.T) {
	ctx, s := store(t)
	a := association(t, ctx, s, "lilas")
	admin := member("sub-zoe", "Zoé", nil)
	admin.CoopAdmin = true
	must(t, s.SaveMember(ctx, admin))
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

func TestWhoeverLeftTheCoopsAdminsIsNoneAnyMore(t *testing.T) {
	ctx, s := store(t)
	association(t, ctx, s, "lilas")
	lea, zoe := member("sub-lea", "Léa", map[string]tenants.Role{}), member("sub-zoe", "Zoé", map[string]tenants.Role{"lilas": tenants.RoleMember})
	max := member("sub-max", "Max", map[string]tenants.Role{"lilas": tenants.RoleManager})
	lea.CoopAdmin, zoe.CoopAdmin = true, true
	for _, m := range []tenants.Member{lea, zoe, max} {
		must(t, s.SaveMember(ctx, m))
	}
	must(t, s.SaveAdmins(ctx, []string{"sub-lea", "sub-max", "sub-unknown", "élan"}))
	zoe.CoopAdmin, max.CoopAdmin = false, true
	for _, m := range []tenants.Member{lea, zoe, max} {
		known(t, ctx, s, m)
	}
	_, err := s.Person(ctx, "sub-unknown")
	wants(t, "an admin who never signed in", err, tenants.ErrNotFound)
	must(t, s.SaveAdmins(ctx, nil))
	max.CoopAdmin = false
	known(t, ctx, s, max)
	_, err = s.Person(ctx, "sub-lea")
	wants(t, "somebody who belongs to nothing any more", err, tenants.ErrNotFound)
}

func TestAMirrorThatBreaksHalfwayChangesNoAdmin(t *testing.T) {
	ctx, s := store(t)
	lea := member("sub-lea", "Léa", map[string]tenants.Role{})
	lea.CoopAdmin = true
	must(t, s.SaveMember(ctx, lea))
	broken := errors.New("broken")
	err := s.Transact(ctx, func(ctx context.Context) error {
		must(t, s.SaveAdmins(ctx, nil))
		return broken
	})
	wants(t, "the transaction", err, broken)
	known(t, ctx, s, lea)
}

func TestMembersAreCountedByAssociation(t *testing.T) {
	ctx, s := store(t)
	a, b, c := association(t, ctx, s, "lilas"), association(t, ctx, s, "roses"), association(t, ctx, s, "iris")
	must(t, s.SaveMember(ctx, member("sub-zoe", "Zoé", map[string]tenants.Role{"lilas": tenants.RoleManager, "roses": tenants.RoleMember})))
	must(t, s.SaveMember(ctx, member("sub-max", "Max", map[string]tenants.Role{"lilas": tenants.RoleMember, "iris": tenants.RoleMember})))
	got, err := s.MemberCounts(ctx, []string{a.ID, b.ID, "a000000000"})
	if want := map[string]int{a.ID: 2, b.ID: 1}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
	if got, err := s.MemberCounts(ctx, nil); err != nil || len(got) != 0 || got[c.ID] != 0 {
		t.Errorf("of no association: %v (%v)", got, err)
	}
}

func TestTheAgeOfEverybodysRightsIsByTheDatabasesClock(t *testing.T) {
	ctx, s := store(t)
	if _, ever, err := s.RightsAge(ctx); err != nil || ever {
		t.Errorf("before any reading: %v, %v", ever, err)
	}
	must(t, s.Heartbeat(ctx, "w1", "start it"))
	if _, ever, err := s.RightsAge(ctx); err != nil || ever {
		t.Errorf("after a heartbeat alone: %v, %v", ever, err)
	}
	must(t, s.NoteRights(ctx, "w1"))
	must(t, s.Heartbeat(ctx, "w2", "start it"))
	if age, ever, err := s.RightsAge(ctx); err != nil || !ever || age < 0 || age > time.Minute {
		t.Errorf("after a reading: %s, %v, %v", age, ever, err)
	}
}
