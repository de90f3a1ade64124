package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"chatiere/cmd/siteinit/internal/resolver"
)

// fixed knows one address for every name but one.
type fixed struct{}

var at = netip.MustParseAddr("127.66.1.2")

func (fixed) Address(_ context.Context, name string) (netip.Addr, error) {
	if name == "unknown.example" {
		return netip.Addr{}, fmt.Errorf("not here: %w", resolver.ErrUnknown)
	}
	if name == "full.example" {
		return netip.Addr{}, errors.New("full")
	}
	return at, nil
}

func (fixed) Name(asked netip.Addr) (string, bool) { return "known.example", asked == at }

func query(t *testing.T, change func(*dnsmessage.Message)) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header: dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{
			Name: dnsmessage.MustNewName("a.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
		}},
	}
	if change != nil {
		change(&m)
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func ask(t *testing.T, change func(*dnsmessage.Message)) dnsmessage.Message {
	t.Helper()
	var reply dnsmessage.Message
	if err := reply.Unpack(resolver.Answer(t.Context(), query(t, change), fixed{})); err != nil {
		t.Fatalf("unreadable reply: %v", err)
	}
	if reply.ID != 4711 || !reply.Response {
		t.Errorf("header %v", reply.Header)
	}
	return reply
}

func TestAnswersByNameAndType(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  dnsmessage.Type
		rcode dnsmessage.RCode
		want  string // address, name or nothing
	}{
		{"a.example.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "127.66.1.2"},
		{"A.Example.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "127.66.1.2"},
		{"a.example.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, ""},
		{"a.example.", dnsmessage.TypeMX, dnsmessage.RCodeSuccess, ""},
		{"a.example.", 65, dnsmessage.RCodeSuccess, ""}, // HTTPS
		{"localhost.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "127.0.0.1"},
		{"localhost.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, ""},
		{"mariadb.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{"10.0.0.1.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{"under_score.example.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{".", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{"unknown.example.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{"full.example.", dnsmessage.TypeA, dnsmessage.RCodeServerFailure, ""},
		{"2.1.66.127.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.RCodeSuccess, "known.example."},
		{"9.9.66.127.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.RCodeNameError, ""},
		{"999.1.66.127.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.RCodeNameError, ""},
		{"66.127.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.RCodeNameError, ""},
	} {
		reply := ask(t, func(m *dnsmessage.Message) {
			m.Questions[0].Name, m.Questions[0].Type = dnsmessage.MustNewName(c.name), c.kind
		})
		if got := text(reply); reply.RCode != c.rcode || got != c.want {
			t.Errorf("%s %s: %s %q; want %s %q", c.name, c.kind, reply.RCode, got, c.rcode, c.want)
		}
		if len(reply.Questions) != 1 || reply.Questions[0].Name.String() != c.name {
			t.Errorf("%s: question not repeated as asked: %v", c.name, reply.Questions)
		}
	}
}

func text(reply dnsmessage.Message) string {
	if len(reply.Answers) != 1 {
		return strings.Repeat("?", len(reply.Answers))
	}
	switch body := reply.Answers[0].Body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(body.A).String()
	case *dnsmessage.PTRResource:
		return body.PTR.String()
	}
	return "?"
}

func TestOddQueriesAreAnsweredInKind(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*dnsmessage.Message)
		want   dnsmessage.RCode
	}{
		"update":       {func(m *dnsmessage.Message) { m.OpCode = 5 }, dnsmessage.RCodeNotImplemented},
		"no question":  {func(m *dnsmessage.Message) { m.Questions = nil }, dnsmessage.RCodeFormatError},
		"two":          {func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }, dnsmessage.RCodeFormatError},
		"class chaos":  {func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }, dnsmessage.RCodeRefused},
		"no recursion": {func(m *dnsmessage.Message) { m.RecursionDesired = false }, dnsmessage.RCodeSuccess},
	} {
		if got := ask(t, c.change).RCode; got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

func TestExtendedQueriesGetExtendedReplies(t *testing.T) {
	if reply := ask(t, nil); len(reply.Additionals) != 0 {
		t.Errorf("plain query: %v", reply.Additionals)
	}
	reply := ask(t, func(m *dnsmessage.Message) {
		m.Additionals = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("."), Type: dnsmessage.TypeOPT, Class: 4096},
			Body:   &dnsmessage.OPTResource{},
		}}
	})
	if len(reply.Additionals) != 1 || reply.Additionals[0].Header.Type != dnsmessage.TypeOPT {
		t.Errorf("extended query: %v", reply.Additionals)
	}
}

func TestRepliesAndGarbageGetNoAnswer(t *testing.T) {
	reply := query(t, func(m *dnsmessage.Message) { m.Response = true })
	for _, message := range [][]byte{nil, {1, 2, 3}, reply} {
		if got := resolver.Answer(t.Context(), message, fixed{}); got != nil {
			t.Errorf("%x answered with %x", message, got)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"a.example.", "2.1.66.127.in-addr.arpa.", "localhost.", "."} {
		m := dnsmessage.Message{Questions: []dnsmessage.Question{{
			Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
		}}}
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
		f.Add(packed[:len(packed)-2])
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		reply := resolver.Answer(t.Context(), message, fixed{})
		if reply == nil {
			return
		}
		var back dnsmessage.Message
		if err := back.Unpack(reply); err != nil {
			t.Fatalf("unreadable reply: %v", err)
		}
		if back.ID != uint16(message[0])<<8|uint16(message[1]) || !back.Response {
			t.Errorf("header %v", back.Header)
		}
		// A second reading of the question: what was answered is what was asked, and an address stands for that name alone.
		var asked dnsmessage.Message
		if asked.Unpack(message) == nil && len(asked.Questions) == 1 && len(back.Questions) == 1 && asked.Questions[0] != back.Questions[0] {
			t.Errorf("asked %v, answered %v", asked.Questions[0], back.Questions[0])
		}
		for _, a := range back.Answers {
			if back.RCode != dnsmessage.RCodeSuccess || len(back.Questions) != 1 || a.Header.Name != back.Questions[0].Name || a.Header.Type != back.Questions[0].Type {
				t.Errorf("answer %v to %v, %v", a, back.Questions, back.RCode)
			}
			if address, ok := a.Body.(*dnsmessage.AResource); ok && address.A[0] != 127 {
				t.Errorf("%v leads out of loopback: %v", a.Header.Name, address.A)
			}
		}
		if len(reply) > len(message)+300 {
			t.Errorf("%d bytes answered with %d", len(message), len(reply))
		}
	})
}
