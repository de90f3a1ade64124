// Package authtest holds a store in memory for tests of sign-in, and the contract every store must keep. It is never imported
// by the program.
package authtest

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/panel/auth"
	"chatiere/tenants"
)

// Contract runs what every auth.Store must keep, each time on an empty one.
func Contract(t *testing.T, fresh func(t *testing.T) auth.Store) {
	t.Run("a session comes back as it was stored", func(t *testing.T) { sessionRoundTrip(t, fresh(t)) })
	t.Run("an ended session is not renewed", func(t *testing.T) { renewEnded(t, fresh(t)) })
	t.Run("sessions end by issuer's session, else by subject", func(t *testing.T) { sweep(t, fresh(t)) })
	t.Run("expired and idle rows go", func(t *testing.T) { expire(t, fresh(t)) })
	t.Run("a sign-in is taken once, whoever comes together", func(t *testing.T) { takeOnce(t, fresh(t)) })
	t.Run("a link is used once and in time", func(t *testing.T) { useOnce(t, fresh(t)) })
	t.Run("a signal is heard once, whoever comes together", func(t *testing.T) { hearOnce(t, fresh(t)) })
	t.Run("a bucket gives what it holds and no more", func(t *testing.T) { spend(t, fresh(t)) })
	t.Run("all of a maker's tokens are revoked", func(t *testing.T) { revokeAll(t, fresh(t)) })
	t.Run("tokens are their maker's", func(t *testing.T) { tokensOfMaker(t, fresh(t)) })
}

var start = time.Date(2026, 11, 22, 5, 0, 0, 123456000, time.UTC)

func randomHash() (h auth.Hash) {
	_, _ = rand.Read(h[:])
	return h
}

// NewSession returns a full session row for tests of stores.
func NewSession(subject string) auth.Session {
	x := auth.Session{
		Hash: randomHash(), Kind: auth.KindIdentity, Subject: subject, SID: "sid-" + subject, Username: subject, Name: "Léa Martin",
		Email: subject + "@lilas.example", CoopAdmin: true, Memberships: map[string]tenants.Role{"lilas": tenants.RoleManager},
		ACR: "mfa", AuthTime: start, Refresh: []byte{1, 2, 3}, IDToken: []byte{0, 255},
		CreatedAt: start, SeenAt: start, RightsAt: start, ExpiresAt: start.Add(time.Hour),
		Device: auth.Device{Browser: "firefox", Platform: "linux"}, Network: "2001:db8:1::/48",
	}
	_, _ = rand.Read(x.CSRF[:])
	return x
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sessionRoundTrip(t *testing.T, s auth.Store) {
	want := NewSession("lea")
	must(t, s.InsertSession(t.Context(), want))
	want.Name, want.Memberships, want.RightsAt, want.CoopAdmin = "Léa", map[string]tenants.Role{"roses": tenants.RoleMember}, start.Add(time.Minute), false
	must(t, s.RenewSession(t.Context(), want))
	must(t, s.TouchSession(t.Context(), want.Hash, start.Add(2*time.Minute), "192.0.2.0/24"))
	must(t, s.TouchSession(t.Context(), want.Hash, start.Add(2*time.Minute), ""))
	want.SeenAt, want.Network = start.Add(2*time.Minute), "192.0.2.0/24"
	got, err := s.Session(t.Context(), want.Hash)
	must(t, err)
	if got.Subject != want.Subject || got.SID != want.SID || got.Name != want.Name || got.CoopAdmin || got.ACR != "mfa" || got.CSRF != want.CSRF ||
		string(got.Refresh) != string(want.Refresh) || string(got.IDToken) != string(want.IDToken) || len(got.Memberships) != 1 ||
		got.Memberships["roses"] != tenants.RoleMember || !got.SeenAt.Equal(want.SeenAt) || !got.RightsAt.Equal(want.RightsAt) ||
		!got.CreatedAt.Equal(want.CreatedAt) || !got.ExpiresAt.Equal(want.ExpiresAt) || !got.AuthTime.Equal(want.AuthTime) ||
		got.Device != want.Device || got.Network != want.Network || got.ID() != want.ID() {
		t.Errorf("session came back changed:\n got %+v\nwant %+v", got, want)
	}
	must(t, s.DeleteSession(t.Context(), want.Hash))
	if _, err := s.Session(t.Context(), want.Hash); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("reading a deleted session: %v, want not found", err)
	}
}

func renewEnded(t *testing.T, s auth.Store) {
	if err := s.RenewSession(t.Context(), NewSession("lea")); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("renewing what is not there: %v, want not found", err)
	}
}

func sweep(t *testing.T, s auth.Store) {
	one, two, other := NewSession("lea"), NewSession("lea"), NewSession("ali")
	two.SID = "another"
	for _, x := range []auth.Session{one, two, other} {
		must(t, s.InsertSession(t.Context(), x))
	}
	must(t, s.TouchSession(t.Context(), two.Hash, start.Add(time.Minute), ""))
	list, err := s.SessionsOf(t.Context(), "lea", start)
	must(t, err)
	if len(list) != 2 || list[0].Hash != two.Hash {
		t.Errorf("listed %d sessions, want 2, the last used first", len(list))
	}
	if list, err := s.SessionsOf(t.Context(), "lea", one.ExpiresAt); err != nil || len(list) != 0 {
		t.Errorf("at their end %d are listed, %v", len(list), err)
	}
	gone, err := s.DeleteSessionsOf(t.Context(), one.SID, "lea")
	must(t, err)
	if _, err := s.Session(t.Context(), two.Hash); gone != 1 || err != nil {
		t.Errorf("ending by sid ended %d, and the other one: %v", gone, err)
	}
	gone, err = s.DeleteSessionsOf(t.Context(), "", "lea")
	must(t, err)
	if _, err := s.Session(t.Context(), other.Hash); gone != 1 || err != nil {
		t.Errorf("ending by subject ended %d, and somebody else's: %v", gone, err)
	}
}

func expire(t *testing.T, s auth.Store) {
	fine, old, idle := NewSession("a"), NewSession("b"), NewSession("c")
	old.ExpiresAt, idle.SeenAt = start, start.Add(-time.Hour)
	for _, x := range []auth.Session{fine, old, idle} {
		must(t, s.InsertSession(t.Context(), x))
	}
	f := auth.Flow{State: randomHash(), Binding: randomHash(), Nonce: "n", Verifier: "v", Return: "/", ExpiresAt: start}
	must(t, s.InsertFlow(t.Context(), f))
	must(t, s.DeleteExpired(t.Context(), start, start.Add(-time.Minute)))
	for _, x := range []struct {
		name string
		hash auth.Hash
		kept bool
	}{{"fresh", fine.Hash, true}, {"expired", old.Hash, false}, {"idle", idle.Hash, false}} {
		if _, err := s.Session(t.Context(), x.hash); (err == nil) != x.kept {
			t.Errorf("%s session: %v, want kept=%v", x.name, err, x.kept)
		}
	}
	if _, err := s.TakeFlow(t.Context(), f.State); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("taking an expired sign-in: %v, want not found", err)
	}
}

// together is how many try at once.
const together = 8

func takeOnce(t *testing.T, s auth.Store) {
	want := auth.Flow{State: randomHash(), Binding: randomHash(), Nonce: "nonce", Verifier: "verifier", Return: "/sites?q=é", StepUp: true, ExpiresAt: start}
	must(t, s.InsertFlow(t.Context(), want))
	var taken atomic.Int32
	race(func() {
		got, err := s.TakeFlow(t.Context(), want.State)
		switch {
		case err == nil:
			taken.Add(1)
			if got.Nonce != want.Nonce || got.Verifier != want.Verifier || got.Return != want.Return || got.Binding != want.Binding || !got.StepUp || !got.ExpiresAt.Equal(start) {
				t.Errorf("sign-in came back changed: %+v", got)
			}
		case !errors.Is(err, tenants.ErrNotFound) && !errors.Is(err, tenants.ErrUnavailable):
			t.Errorf("taking: %v", err)
		}
	})
	if n := taken.Load(); n != 1 {
		t.Errorf("taken %d times, want once", n)
	}
}

func race(f func()) {
	var wg sync.WaitGroup
	for range together {
		wg.Go(f)
	}
	wg.Wait()
}

func useOnce(t *testing.T, s auth.Store) {
	l := auth.Link{Hash: randomHash(), CreatedAt: start, ExpiresAt: start.Add(time.Minute)}
	must(t, s.InsertLink(t.Context(), l))
	if err := s.UseLink(t.Context(), l.Hash, start.Add(time.Minute)); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("using a link at its end: %v, want not found", err)
	}
	var used atomic.Int32
	race(func() {
		if s.UseLink(t.Context(), l.Hash, start) == nil {
			used.Add(1)
		}
	})
	if n := used.Load(); n != 1 {
		t.Errorf("used %d times, want once", n)
	}
	got, err := s.Link(t.Context(), l.Hash)
	must(t, err)
	if got.UsedAt == nil || !got.UsedAt.Equal(start) || !got.ExpiresAt.Equal(l.ExpiresAt) {
		t.Errorf("link came back changed: %+v", got)
	}
}

func tokensOfMaker(t *testing.T, s auth.Store) {
	lea := auth.Owner{Kind: tenants.KindPerson, ID: "lea"}
	mine := auth.Token{
		ID: "tmine00000", Label: "Sauvegarde", Hash: randomHash(), Owner: lea, OwnerName: "Léa", Admin: true, Scope: tenants.ScopeRead,
		CreatedAt: start, ExpiresAt: start.Add(time.Hour),
	}
	theirs := mine
	theirs.ID, theirs.Hash, theirs.Owner = "ttheirs000", randomHash(), auth.Owner{Kind: tenants.KindLocal}
	must(t, s.InsertToken(t.Context(), mine))
	must(t, s.InsertToken(t.Context(), theirs))
	must(t, s.UseToken(t.Context(), mine.ID, start.Add(time.Minute)))
	if _, err := s.RevokeToken(t.Context(), theirs.ID, lea, start); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("revoking somebody else's: %v, want not found", err)
	}
	list, err := s.Tokens(t.Context(), lea)
	must(t, err)
	if len(list) != 1 || list[0].ID != mine.ID || list[0].UsedAt == nil || !list[0].Admin || list[0].Owner != lea || !list[0].ExpiresAt.Equal(mine.ExpiresAt) {
		t.Errorf("listing lea's: %+v", list)
	}
	if all, err := s.Tokens(t.Context(), auth.Owner{}); err != nil || len(all) != 2 {
		t.Errorf("listing all: %d, %v", len(all), err)
	}
	if _, err := s.RevokeToken(t.Context(), mine.ID, lea, start); err != nil {
		t.Errorf("revoking: %v", err)
	}
	if _, err := s.RevokeToken(t.Context(), mine.ID, lea, start); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("revoking twice: %v, want not found", err)
	}
	if got, err := s.TokenByHash(t.Context(), mine.Hash); err != nil || got.RevokedAt == nil {
		t.Errorf("a revoked token is read as %+v, %v", got, err)
	}
}

func hearOnce(t *testing.T, s auth.Store) {
	x, other, elsewhere := NewSession("lea"), NewSession("ali"), NewSession("lea")
	elsewhere.SID = "another"
	for _, row := range []auth.Session{x, other, elsewhere} {
		must(t, s.InsertSession(t.Context(), row))
	}
	token := randomHash()
	var heard, ended atomic.Int64
	race(func() {
		n, err := s.RecordLogout(t.Context(), token, start.Add(time.Minute), x.SID, "lea")
		switch {
		case err == nil:
			heard.Add(1)
			ended.Add(n)
		case !errors.Is(err, tenants.ErrConflict) && !errors.Is(err, tenants.ErrUnavailable):
			t.Errorf("hearing: %v", err)
		}
	})
	if heard.Load() != 1 || ended.Load() != 1 {
		t.Errorf("heard %d times, %d sessions ended; want one each", heard.Load(), ended.Load())
	}
	if got, err := s.Session(t.Context(), other.Hash); err != nil || !got.RightsAt.Equal(start) {
		t.Errorf("somebody else's session: %v, rights of %v", err, got.RightsAt)
	}
	if got, err := s.Session(t.Context(), elsewhere.Hash); err != nil || !got.RightsAt.Before(start) {
		t.Errorf("the person's other session: %v, rights of %v", err, got.RightsAt)
	}
	must(t, s.DeleteExpired(t.Context(), start.Add(time.Minute), start.Add(-time.Hour)))
	if n, err := s.RecordLogout(t.Context(), token, start.Add(time.Hour), "", "ali"); err != nil || n != 1 {
		t.Errorf("a token that was forgotten, by subject: %d, %v", n, err)
	}
}

func spend(t *testing.T, s auth.Store) {
	key := randomHash()
	const burst, interval = 5, 10 * time.Second
	try := func(now time.Time) (bool, time.Time) {
		ok, until, err := s.TakeToken(t.Context(), key, now, interval, burst)
		must(t, err)
		return ok, until
	}
	var passed atomic.Int32
	race(func() {
		if ok, _ := try(start); ok {
			passed.Add(1)
		}
	})
	if n := passed.Load(); n != burst {
		t.Errorf("%d of %d at once passed, want %d", n, together, burst)
	}
	if ok, until := try(start.Add(9 * time.Second)); ok || !until.Equal(start.Add(burst*interval)) {
		t.Errorf("too early: %v, spent to %v", ok, until)
	}
	if ok, _ := try(start.Add(interval)); !ok {
		t.Error("after an interval nothing had come back")
	}
	if ok, _ := try(start.Add(interval)); ok {
		t.Error("after an interval two had come back")
	}
	if held, err := s.SpentUntil(t.Context(), randomHash()); err != nil || !held.IsZero() {
		t.Errorf("a bucket nobody touched: %v, %v", held, err)
	}
	must(t, s.SetSpent(t.Context(), key, start.Add(time.Hour)))
	if held, err := s.SpentUntil(t.Context(), key); err != nil || !held.Equal(start.Add(time.Hour)) {
		t.Errorf("held: %v, %v", held, err)
	}
}

func revokeAll(t *testing.T, s auth.Store) {
	lea := auth.Owner{Kind: tenants.KindPerson, ID: "lea"}
	for i, m := range []auth.Owner{lea, lea, {Kind: tenants.KindPerson, ID: "ali"}, {Kind: tenants.KindLocal, ID: "lea"}} {
		must(t, s.InsertToken(t.Context(), auth.Token{
			ID: "t" + string(rune('a'+i)), Label: "x", Hash: randomHash(), Owner: m, OwnerName: "x", Scope: tenants.ScopeRead, CreatedAt: start, ExpiresAt: start.Add(time.Hour),
		}))
	}
	if n, err := s.RevokeTokensOf(t.Context(), lea, start); err != nil || n != 2 {
		t.Errorf("revoked %d, %v; want 2", n, err)
	}
	if left, err := s.Tokens(t.Context(), auth.Owner{}); err != nil || len(left) != 2 {
		t.Errorf("%d are left, %v; want 2", len(left), err)
	}
}
