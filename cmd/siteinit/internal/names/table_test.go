package names_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"chatiere/cmd/siteinit/internal/names"
	"chatiere/reverseproxy/hostname"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newTable(size int) (*names.Table, *clock) {
	c := &clock{at: time.Date(2026, 3, 29, 1, 59, 0, 0, time.UTC)}
	return names.NewTable(size, time.Minute, c.now), c
}

func mustAddress(t *testing.T, table *names.Table, name string) netip.Addr {
	t.Helper()
	at, err := table.Address(name)
	if err != nil {
		t.Fatalf("address of %s: %v", name, err)
	}
	return at
}

func TestNameAndAddressFindEachOther(t *testing.T) {
	table, _ := newTable(10)
	at := mustAddress(t, table, "api.wordpress.org")
	if !names.Range.Contains(at) {
		t.Errorf("%s lies outside %s", at, names.Range)
	}
	if name, ok := table.Name(at); !ok || name != "api.wordpress.org" {
		t.Errorf("name of %s = %q, %v", at, name, ok)
	}
	if again := mustAddress(t, table, "api.wordpress.org"); again != at {
		t.Errorf("second answer %s differs from the first, %s", again, at)
	}
	mapped := netip.AddrFrom16(at.As16())
	if name, ok := table.Name(mapped); !ok || name != "api.wordpress.org" {
		t.Errorf("v4-mapped form of the address finds %q, %v", name, ok)
	}
}

func TestUnknownAddressesHaveNoName(t *testing.T) {
	table, _ := newTable(10)
	at := mustAddress(t, table, "a.example")
	for _, other := range []netip.Addr{at.Next(), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")} {
		if name, ok := table.Name(other); ok {
			t.Errorf("%s has the name %q", other, name)
		}
	}
}

func TestANameKeepsItsAddressInANewTable(t *testing.T) {
	one, _ := newTable(10)
	two, _ := newTable(10)
	mustAddress(t, two, "other.example")
	if a, b := mustAddress(t, one, "a.example"), mustAddress(t, two, "a.example"); a != b {
		t.Errorf("%s in one table, %s in the next", a, b)
	}
}

func TestEveryNameHasItsOwnAddress(t *testing.T) {
	table, _ := newTable(20000)
	seen := map[netip.Addr]string{}
	for i := range 20000 {
		name := fmt.Sprintf("n%d.example", i)
		at := mustAddress(t, table, name)
		if other, taken := seen[at]; taken {
			t.Fatalf("%s and %s share %s", name, other, at)
		}
		seen[at] = name
	}
}

func TestAnAddressInUseIsNotGivenToAnotherName(t *testing.T) {
	table, clock := newTable(2)
	first := mustAddress(t, table, "a.example")
	mustAddress(t, table, "b.example")
	if _, err := table.Address("c.example"); !errors.Is(err, names.ErrFull) {
		t.Fatalf("full table answered %v", err)
	}
	clock.at = clock.at.Add(59 * time.Second)
	table.Name(first) // a connection is a use too
	clock.at = clock.at.Add(time.Second)
	mustAddress(t, table, "c.example")
	if name, ok := table.Name(first); !ok || name != "a.example" {
		t.Errorf("the address in use went to %q, %v", name, ok)
	}
	if got := table.Len(); got != 2 {
		t.Errorf("%d names in a table of 2", got)
	}
}

// siteinit imports no other room, so it has its own copy of what the gateway does.
func TestCanonicalNamesAreTheGateways(t *testing.T) {
	for name, want := range map[string]string{
		"API.WordPress.org.":   "api.wordpress.org",
		"xn--caf-dma.fr":       "xn--caf-dma.fr",
		"a-b.example":          "a-b.example",
		"localhost":            "",
		"127.0.0.1":            "",
		"10.1":                 "",
		"0x7f.0x1":             "",
		"-a.example":           "",
		"a..example":           "",
		"_dmarc.example.org":   "",
		"\u212aiosque.example": "", // the Kelvin sign, whose lower case is an ASCII letter
		"a.example..":          "",
		"a.example:443":        "",
		"amap\u3002example":    "",
		"café.fr":              "",
		"a b.example":          "",
		"":                     "",
		".":                    "",
	} {
		got, ok := names.Canonical(name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("Canonical(%q) = %q, %v; want %q", name, got, ok, want)
		}
		if theirs, known := hostname.Public(name); ok != known || ok && got != theirs {
			t.Errorf("%q is %q, %v here and %q, %v to the gateway", name, got, ok, theirs, known)
		}
	}
}
