// Package resolver is the site's only DNS server: it answers every name of its
// table with the address in the table. It does not decide which names are in the
// table. Start at [Answer]; [Serve] puts it on sockets.
package resolver

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"chatiere/cmd/siteinit/internal/names"
)

// ttl is short: a name costs nothing to ask for again.
const ttl = 10

// ErrUnknown means that the table does not have the name.
var ErrUnknown = errors.New("unknown name")

// NameTable maps names to addresses and back.
type NameTable interface {
	Address(ctx context.Context, name string) (netip.Addr, error)
	Name(netip.Addr) (string, bool)
}

// Answer returns the reply to one message, or nil where none is due.
func Answer(ctx context.Context, query []byte, book NameTable) []byte {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil || header.Response {
		return nil // not a query: answering would invite loops
	}
	reply := dnsmessage.Message{Header: dnsmessage.Header{
		ID: header.ID, Response: true, OpCode: header.OpCode,
		RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
	}}
	questions, err := parser.AllQuestions()
	switch {
	case header.OpCode != 0:
		reply.RCode = dnsmessage.RCodeNotImplemented
	case err != nil || len(questions) != 1:
		reply.RCode = dnsmessage.RCodeFormatError
	default:
		reply.Questions = questions
		reply.Answers, reply.RCode = resolve(ctx, questions[0], book)
		if hasEDNS(&parser) {
			reply.Additionals = []dnsmessage.Resource{ednsOption()}
		}
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}

func resolve(ctx context.Context, q dnsmessage.Question, book NameTable) ([]dnsmessage.Resource, dnsmessage.RCode) {
	if q.Class != dnsmessage.ClassINET {
		return nil, dnsmessage.RCodeRefused
	}
	asked := strings.ToLower(q.Name.String())
	if reverse, ok := strings.CutSuffix(asked, ".in-addr.arpa."); ok {
		return pointer(q, reverse, book)
	}
	if asked == "localhost." {
		return local(q), dnsmessage.RCodeSuccess
	}
	name, ok := names.Canonical(asked)
	if !ok {
		return nil, dnsmessage.RCodeNameError
	}
	if q.Type != dnsmessage.TypeA {
		return nil, dnsmessage.RCodeSuccess // the name exists and has addresses only
	}
	at, err := book.Address(ctx, name)
	if errors.Is(err, ErrUnknown) {
		return nil, dnsmessage.RCodeNameError
	}
	if err != nil {
		return nil, dnsmessage.RCodeServerFailure
	}
	return answers(q, &dnsmessage.AResource{A: at.As4()}), dnsmessage.RCodeSuccess
}

func local(q dnsmessage.Question) []dnsmessage.Resource {
	if q.Type != dnsmessage.TypeA {
		return nil
	}
	return answers(q, &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}})
}

func pointer(q dnsmessage.Question, reverse string, book NameTable) ([]dnsmessage.Resource, dnsmessage.RCode) {
	at, ok := parseReverse(reverse)
	if !ok {
		return nil, dnsmessage.RCodeNameError
	}
	name, ok := book.Name(at)
	if !ok {
		return nil, dnsmessage.RCodeNameError
	}
	target, err := dnsmessage.NewName(name + ".")
	if err != nil || q.Type != dnsmessage.TypePTR {
		return nil, dnsmessage.RCodeSuccess
	}
	return answers(q, &dnsmessage.PTRResource{PTR: target}), dnsmessage.RCodeSuccess
}

func parseReverse(text string) (netip.Addr, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 4 {
		return netip.Addr{}, false
	}
	var out [4]byte
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return netip.Addr{}, false
		}
		out[3-i] = byte(n)
	}
	return netip.AddrFrom4(out), true
}

func answers(q dnsmessage.Question, body dnsmessage.ResourceBody) []dnsmessage.Resource {
	return []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: ttl},
		Body:   body,
	}}
}

// hasEDNS reports whether the query uses EDNS, which the answer must then use too.
func hasEDNS(parser *dnsmessage.Parser) bool {
	if parser.SkipAllAnswers() != nil || parser.SkipAllAuthorities() != nil {
		return false
	}
	for {
		header, err := parser.AdditionalHeader()
		if err != nil {
			return false
		}
		if header.Type == dnsmessage.TypeOPT {
			return true
		}
		if parser.SkipAdditional() != nil {
			return false
		}
	}
}

func ednsOption() dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{
			Name: dnsmessage.MustNewName("."), Type: dnsmessage.TypeOPT, Class: maxMessage,
		},
		Body: &dnsmessage.OPTResource{},
	}
}
