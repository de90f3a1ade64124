package auth_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"chatiere/panel/auth"
	"chatiere/panel/auth/authtest"
)

func newGate() (*auth.Limiter, *authtest.Store, *authtest.Clock) {
	clock, store := authtest.NewClock(), authtest.NewStore()
	return auth.NewLimiter(store, key, clock.Now, slog.New(slog.DiscardHandler)), store, clock
}

// spent tries until the gate closes and returns how many passed.
func spent(t *testing.T, g *auth.Limiter, a auth.LimitKind, address func(i int) string) (n int, last *auth.LimitError) {
	t.Helper()
	for ; n < 5000; n++ {
		if err := g.Take(t.Context(), a, address(n)); errors.As(err, &last) {
			return n, last
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the gate never closed")
	return n, nil
}

func always(address string) func(int) string { return func(int) string { return address } }

func TestAnAddressRunsOutOfTriesAndGetsThemBack(t *testing.T) {
	g, _, clock := newGate()
	n, many := spent(t, g, auth.LimitLink, always("192.0.2.1"))
	if n != 10 || many.Wait != 30*time.Second || !errors.Is(many, auth.ErrLimited) {
		t.Errorf("%d passed, then %+v", n, many)
	}
	if err := g.Take(t.Context(), auth.LimitLink, "192.0.2.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
	if err := g.Take(t.Context(), auth.LimitToken, "192.0.2.1"); err != nil {
		t.Errorf("another kind: %v", err)
	}
	if g.Blocked(auth.LimitLink, "::ffff:192.0.2.1") == nil || g.Blocked(auth.LimitLink, "192.0.2.2") != nil {
		t.Error("who is barred is not who ran out")
	}
	clock.Advance(30 * time.Second)
	if err := g.Take(t.Context(), auth.LimitLink, "192.0.2.1"); err != nil {
		t.Errorf("after the wait that was told: %v", err)
	}
}

// An association's whole office comes from one address: thirty people, each with a second factor to prove.
func TestAnOfficeBehindOneAddressSignsInAtOnce(t *testing.T) {
	g, _, _ := newGate()
	for i := range 60 {
		if err := g.Take(t.Context(), auth.LimitStart, "192.0.2.1"); err != nil {
			t.Fatalf("sign-in %d: %v", i+1, err)
		}
	}
}

func TestManyAddressesTogetherAreBoundedAndPlacesPeopleSignInFromAreNot(t *testing.T) {
	g, _, clock := newGate()
	g.Trust(t.Context(), "2001:db8:7::5")
	n, _ := spent(t, g, auth.LimitStart, func(i int) string { return fmt.Sprintf("2001:db8:%x::1", i+0x100) })
	if n != 2000 {
		t.Errorf("%d addresses passed", n)
	}
	if err := g.Take(t.Context(), auth.LimitStart, "2001:db8:7::6"); err != nil {
		t.Errorf("where somebody signed in from: %v", err)
	}
	if err := g.Take(t.Context(), auth.LimitStart, "198.51.100.1"); !errors.Is(err, auth.ErrLimited) {
		t.Errorf("elsewhere: %v", err)
	}
	clock.Advance(31 * 24 * time.Hour)
	spent(t, g, auth.LimitStart, func(i int) string { return fmt.Sprintf("2001:db8:%x::1", i+0x100) })
	if err := g.Take(t.Context(), auth.LimitStart, "2001:db8:7::6"); !errors.Is(err, auth.ErrLimited) {
		t.Errorf("a month later: %v", err)
	}
}

// A handful of addresses must not keep everybody else from beginning a sign-in.
func TestAFewAddressesLeaveRoomForEverybodyElse(t *testing.T) {
	g, _, _ := newGate()
	for i := range 32 {
		spent(t, g, auth.LimitStart, always(fmt.Sprintf("192.0.2.%d", i)))
	}
	if err := g.Take(t.Context(), auth.LimitStart, "198.51.100.1"); err != nil {
		t.Errorf("a fresh address: %v", err)
	}
}

func TestARestartForgivesNothing(t *testing.T) {
	g, store, clock := newGate()
	spent(t, g, auth.LimitLink, always("192.0.2.1"))
	again := auth.NewLimiter(store, key, clock.Now, slog.New(slog.DiscardHandler))
	if err := again.Take(t.Context(), auth.LimitLink, "192.0.2.1"); !errors.Is(err, auth.ErrLimited) {
		t.Errorf("after a restart: %v", err)
	}
}

func TestWithoutTheDatabaseTriesAreStillCounted(t *testing.T) {
	g, store, _ := newGate()
	store.Away(true)
	if n, _ := spent(t, g, auth.LimitLink, always("192.0.2.1")); n != 10 {
		t.Errorf("%d passed", n)
	}
}

func TestABrowserIsTwoWordsAndAnAddressIsANetwork(t *testing.T) {
	for agent, want := range map[string]string{
		firefox: "firefox/linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":              "edge/windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1":    "safari/iphone",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                            "chrome/android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":                      "safari/mac",
		"Mozilla/5.0 (Linux; Android 14; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": "samsung/android",
		"curl/8.14": "other/other", "": "other/other", "<script>": "other/other",
	} {
		d := auth.DeviceOf(agent)
		if d.String() != want || auth.ParseDevice(want) != d {
			t.Errorf("%q is %s, want %s", agent, d, want)
		}
	}
	for address, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "2001:db8:1:2:3::4": "2001:db8:1::/48", "::ffff:192.0.2.77": "192.0.2.0/24", "fe80::1%eth0": "fe80::/48", "": "", "x": "",
	} {
		if got := auth.NetworkOf(address); got != want {
			t.Errorf("%q lies in %q, want %q", address, got, want)
		}
	}
}
