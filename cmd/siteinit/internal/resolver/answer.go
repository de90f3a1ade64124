// Package resolver is the site's only DNS server: it answers every name that
// its book has with the address which stands for it there. What the book has is
// not its business. Start at [Answer]; [Serve] puts it on sockets.
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

// ErrUnknown is what a book says of a name that it does not have.
var ErrUnknown = errors.New("unknown name")

// Book finds addresses by name and names by address.
type Book interface {
	Address(ctx context.Context, name string) (netip.Addr, error)
	Name(netip.Addr) (string, bool)
}

// Answer returns the reply to one message, or nil where none is due.
func Answer(ctx context.Context, query []byte, book Book) []byte {
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
		reply.Answers, reply.RCode = look(ctx, questions[0], book)
		if extended(&parser) {
			reply.Additionals = []dnsmessage.Resource{option()}
		}
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}

func look(ctx context.Context, q dnsmessage.Question, book Book) ([]dnsmessage.Resource, dnsmessage.RCode) {
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

func pointer(q dnsmessage.Question, reverse string, book Book) ([]dnsmessage.Resource, dnsmessage.RCode) {
	at, ok := reversed(reverse)
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

func reversed(text string) (netip.Addr, bool) {
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

// extended tells whether the query carries EDNS, which must be answered in kind.
func extended(parser *dnsmessage.Parser) bool {
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

func option() dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{
			Name: dnsmessage.MustNewName("."), Type: dnsmessage.TypeOPT, Class: maxMessage,
		},
		Body: &dnsmessage.OPTResource{},
	}
}
