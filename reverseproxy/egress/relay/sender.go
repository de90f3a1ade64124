package relay

import (
	"errors"
	"mime"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Foreign says what happens to mail whose From is none of the site's names.
type Foreign string

// What can happen to it.
const (
	// Rewrite sends it from an address of the co-op; answers go where the site said.
	Rewrite Foreign = "rewrite"
	// Refuse refuses it.
	Refuse Foreign = "refuse"
)

// ErrForeign means that a site sends mail from somebody else's domain.
var ErrForeign = errors.New("sender not of this site")

// senderRules are the sender and the allowed addresses of one message.
type senderRules struct {
	site, host, id string
	domain         string   // of the co-op's addresses
	senders        []string // further domains a site may write from
	foreign        Foreign
	at             time.Time
}

// allowed reports whether the site may send from a domain: its own name, names below
// it, and the co-op's further domains.
func (o senderRules) allowed(domain string) bool {
	domain = strings.ToLower(domain)
	return domain == o.host || strings.HasSuffix(domain, "."+o.host) || slices.Contains(o.senders, domain)
}

func (o senderRules) allowedAddress(address string) bool {
	at := strings.LastIndexByte(address, '@')
	return at > 0 && o.allowed(address[at+1:])
}

// bounceAddress returns the envelope sender. Mail that cannot be delivered after the
// smarthost accepted it returns to this address of the co-op, which identifies the
// site and the mail.
func (o senderRules) bounceAddress() string { return "bounces+" + o.site + "-" + o.id + "@" + o.domain }

// noReply returns the address that replaces one that the site may not use.
func (o senderRules) noReply() string { return "no-reply+" + o.site + "@" + o.domain }

// rewrite returns the header as it is sent.
func (o senderRules) rewrite(h head) (head, error) {
	h, err := o.rewriteFrom(h.without("bcc", "resent-bcc", "return-path", "received", "x-chatiere-site", "x-chatiere-mail"))
	if err != nil {
		return nil, err
	}
	if _, ok := h.first("date"); !ok {
		h = h.add("Date", o.at.Format(time.RFC1123Z))
	}
	if _, ok := h.first("message-id"); !ok {
		h = h.add("Message-ID", "<"+o.id+"@"+o.host+">")
	}
	trace := head{newField("Received", "from "+o.host+" by "+o.domain+" with SMTP id "+o.id+"; "+o.at.Format(time.RFC1123Z))}
	return append(append(trace, h...), newField("X-Chatiere-Site", o.site)), nil
}

func (o senderRules) rewriteFrom(h head) (head, error) {
	if f, ok := h.first("sender"); ok {
		if s, err := mail.ParseAddress(f.value()); err != nil || !o.allowedAddress(s.Address) || h.count("sender") > 1 {
			h = h.without("sender")
		}
	}
	from, ok := h.first("from")
	if !ok {
		return h.add("From", o.noReply()), nil
	}
	authors, whole := parseList(from.value())
	if h.count("from") == 1 && whole && !slices.ContainsFunc(authors, func(a *mail.Address) bool { return !o.allowedAddress(a.Address) }) {
		return h, nil
	}
	if o.foreign == Refuse {
		return nil, ErrForeign
	}
	return o.replaceFrom(h, authors), nil
}

func (o senderRules) replaceFrom(h head, authors []*mail.Address) head {
	name := ""
	_, answered := h.first("reply-to")
	h = h.without("from", "sender")
	if len(authors) > 0 {
		name = authors[0].Name
		if name == "" {
			name = authors[0].Address
		}
		if !answered {
			h = h.add("Reply-To", (&mail.Address{Name: cut(authors[0].Name, maxName), Address: authors[0].Address}).String())
		}
	}
	return h.add("From", (&mail.Address{Name: cut(name, maxName), Address: o.noReply()}).String())
}

// maxName bounds a display name, in characters: it stands in one line.
const maxName = 60

// words decodes what it can, and leaves what it cannot as it is.
var words = &mail.AddressParser{WordDecoder: new(mime.WordDecoder)}

var angled = regexp.MustCompile(`<([^<>\s@]+@[^<>\s@]+)>`)

// parseList reads addresses, the odd ones as well as it can. It is whole if
// there is nothing else, so that every reader sees the same authors.
func parseList(text string) (list []*mail.Address, whole bool) {
	list, err := words.ParseList(text)
	if err == nil {
		found := len(list)
		list = slices.DeleteFunc(list, func(a *mail.Address) bool { return !mailbox(a.Address) })
		return list, found == len(list) && found > 0
	}
	if found := angled.FindAllStringSubmatch(text, 2); len(found) == 1 && mailbox(found[0][1]) {
		return []*mail.Address{{Address: found[0][1]}}, false
	}
	return nil, false
}

var (
	localForm  = regexp.MustCompile("^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}$")
	domainForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$`)
)

// mailbox accepts the addresses of people: no quotes, no routes, no literals, no
// second "@", nothing that two servers could read differently.
func mailbox(address string) bool {
	at := strings.LastIndexByte(address, '@')
	return at > 0 && len(address) <= 254 && localForm.MatchString(address[:at]) && domainForm.MatchString(address[at+1:])
}

func cut(text string, runes int) string {
	r := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	if len(r) > runes {
		return string(r[:runes-1]) + "…"
	}
	return string(r)
}
