// Package pages holds what the proxy itself says to visitors, in French and English: that no site
// lives at this address, that it wakes up, that it is down, that it is closed.
//
// Pages are rendered once, at the start. They carry no name of a server, program, version or fault,
// need no script and no second request, and look like the panel. Start reading at Pages.Serve.
package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// Kind is one of the pages.
type Kind int

// The pages.
const (
	UnknownHost    Kind = iota // no site lives at this host
	NotFound                   // the site has no such page for visitors
	BadRequest                 // the address cannot be understood
	Starting                   // the site is being started
	Asleep                     // the site is being woken up
	Down                       // the site does not answer
	Refused                    // the site was closed by its hosts
	Busy                       // the visitor asks for too much at once
	Full                       // the site is asked for too much at once
	Slow                       // what the visitor sends comes too slowly
	TooLarge                   // what the visitor sends is too large
	LongAddress                // the address is too long
	LongHeader                 // what the browser sends along is too large
	TooManyCookies             // the same, and it is cookies
	CookiesCleared             // they have been deleted
	Cookies                    // a cookie came twice, which somebody else may have set
	kinds
)

// Contact is who visitors may turn to; all of it may be empty.
type Contact struct {
	Name  string
	Email string
}

// Pages answers requests with the pages.
type Pages struct {
	contact  Contact
	rendered [kinds][len(languages)][]byte
}

// Texts exist in these languages; the first is the default.
var languages = [...]string{"fr", "en"}

// ClearCookies is the path that the page TooManyCookies sends its form to.
const ClearCookies = "/.well-known/chatiere/clear-cookies"

const policyRest = "'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action "

var (
	policy     = "default-src 'none'; style-src '" + hashOf(style) + policyRest + "'none'"
	formPolicy = "default-src 'none'; style-src '" + hashOf(style) + policyRest + "'self'"
)

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// New renders all pages.
func New(contact Contact) (*Pages, error) {
	p := &Pages{contact: contact}
	for kind := range kinds {
		for i, lang := range languages {
			var buf bytes.Buffer
			view := view{
				Lang: lang, Text: texts[kind][i], Contact: contact, HostedBy: hostedBy[i],
				Style: template.CSS(style), Icon: template.URL(icon), AsleepEyes: kind == Asleep || kind == Down, Clear: ClearCookies,
			}
			if err := layout.Execute(&buf, view); err != nil {
				return nil, fmt.Errorf("rendering page %d (%s): %w", kind, lang, err)
			}
			p.rendered[kind][i] = buf.Bytes()
		}
	}
	return p, nil
}

// view is what a page is made of.
type view struct {
	Lang       string
	Text       text
	Contact    Contact
	HostedBy   string
	Style      template.CSS
	Icon       template.URL
	AsleepEyes bool
	Clear      string // where a form leads
}

// statuses are those of the pages; a zero wait means that trying again is of no use.
var statuses = [kinds]struct {
	status, wait int
	reload       bool
}{
	UnknownHost: {status: http.StatusNotFound},
	NotFound:    {status: http.StatusNotFound},
	BadRequest:  {status: http.StatusBadRequest},
	Starting:    {status: http.StatusServiceUnavailable, wait: 5, reload: true},
	Asleep:      {status: http.StatusServiceUnavailable, wait: 2, reload: true},
	Down:        {status: http.StatusServiceUnavailable, wait: 60},
	Refused:     {status: http.StatusForbidden},
	Busy:        {status: http.StatusTooManyRequests, wait: 5},
	Cookies:     {status: http.StatusBadRequest},
	Full:        {status: http.StatusServiceUnavailable, wait: 10},
	Slow:        {status: http.StatusRequestTimeout},
	TooLarge:    {status: http.StatusRequestEntityTooLarge},
	LongAddress: {status: http.StatusRequestURITooLong},
	LongHeader:  {status: http.StatusRequestHeaderFieldsTooLarge},

	TooManyCookies: {status: http.StatusRequestHeaderFieldsTooLarge},
	CookiesCleared: {status: http.StatusOK},
}

// Serve answers with a page under its usual status. lang is the language for visitors who ask for none.
func (p *Pages) Serve(w http.ResponseWriter, r *http.Request, kind Kind, lang string) {
	p.ServeStatus(w, r, kind, statuses[kind].status, lang)
}

// ServeStatus answers with a page under another status.
func (p *Pages) ServeStatus(w http.ResponseWriter, r *http.Request, kind Kind, status int, lang string) {
	i := choose(r.Header.Get("Accept-Language"), lang)
	body := p.rendered[kind][i]
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", languages[i])
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Content-Security-Policy", policy)
	if texts[kind][i].Button != "" {
		header.Set("Content-Security-Policy", formPolicy)
	}
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept-Language")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	if wait := statuses[kind].wait; wait > 0 {
		header.Set("Retry-After", strconv.Itoa(wait))
		safe := r.Method == http.MethodGet || r.Method == http.MethodHead
		if statuses[kind].reload && safe {
			header.Set("Refresh", strconv.Itoa(wait))
		}
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have gone, which is its right
	}
}

var (
	frenchFirst  = language.NewMatcher([]language.Tag{language.French, language.English})
	englishFirst = language.NewMatcher([]language.Tag{language.English, language.French})
)

// maxAccept is more than any browser sends; parsing costs time.
const maxAccept = 256

// choose returns the index of the language that suits the visitor best.
func choose(accept, lang string) int {
	english := lang == "en" || strings.HasPrefix(lang, "en-")
	matcher, order := frenchFirst, [...]int{0, 1}
	if english {
		matcher, order = englishFirst, [...]int{1, 0}
	}
	if accept == "" || len(accept) > maxAccept {
		return order[0]
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return order[0]
	}
	_, i, confidence := matcher.Match(tags...)
	if confidence == language.No {
		return order[0]
	}
	return order[i]
}
