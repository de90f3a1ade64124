package config

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Mail is the way of the sites' mail to the world.
type Mail struct {
	Smarthost string // "host:port" of the server that takes it; "": no mail leaves
	TLS       MailTLS
	User      string   // "": the smarthost lets us in without
	Domain    string   // of the addresses that stand in for the sites'
	Senders   []string // what sites may write from beside their own names; see SendersOf
	Foreign   string   // what happens to mail from other domains: "rewrite" or "refuse"
	Hourly    int      // recipients per site and hour
}

// MailTLS says how the way to the smarthost is protected.
type MailTLS string

// The ways.
const (
	MailStartTLS MailTLS = "starttls"
	MailImplicit MailTLS = "implicit"
	MailNone     MailTLS = "none" // to this machine alone
)

// What happens to mail from other domains.
const (
	ForeignRewrite = "rewrite"
	ForeignRefuse  = "refuse"
)

// MailServer is the smarthost's host and port; "" and 0 when there is none.
func (c Config) MailServer() (host string, port int) {
	host, text, err := net.SplitHostPort(c.Mail.Smarthost)
	if err != nil {
		return "", 0
	}
	port, err = strconv.Atoi(text)
	if err != nil {
		return "", 0
	}
	return host, port
}

var mailKeys = []key{
	{"mail.smarthost", `"host:port" of the mail server that takes the sites' mail, or nothing`, `"smtp.lilas.example:587"`,
		func(c *Config) any { return &c.Mail.Smarthost }, checkSmarthost},
	{"mail.tls", "starttls (usual on port 587), implicit (port 465), or none if the server is this machine (localhost)", "starttls",
		func(c *Config) any { return (*string)(&c.Mail.TLS) }, checkMailTLS},
	{"mail.user", "the name to sign in with at the smarthost, or nothing; the password is in secrets/gateway/mail_password", "chatiere",
		func(c *Config) any { return &c.Mail.User }, checkMailUser},
	{"mail.domain", "the domain of no-reply+… and bounces+… addresses, one that you receive mail for", "lilas.example",
		func(c *Config) any { return &c.Mail.Domain }, checkMailDomain},
	{"mail.senders", "a list of association/domain that the association's sites may write from, beside their own names; a domain alone is for all sites",
		"[amap-du-puy/amap.example]", func(c *Config) any { return &c.Mail.Senders }, func(c *Config) string {
			return each(c.Mail.Senders, checkSender)
		}},
	{"mail.foreign", "rewrite or refuse: what happens to mail from a domain that is not the site's", "rewrite",
		func(c *Config) any { return &c.Mail.Foreign }, checkForeign},
	{"mail.hourly", "recipients per site and hour, 1 to 100000", "200",
		func(c *Config) any { return &c.Mail.Hourly }, func(c *Config) string { return within(c.Mail.Hourly, 1, 100_000) }},
}

var senderSlug = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){1,39}$`)

func checkSender(entry string) bool {
	slug, domain, of := strings.Cut(entry, "/")
	if !of {
		return checkHost(entry) == ""
	}
	return senderSlug.MatchString(slug) && checkHost(domain) == ""
}

// SendersOf returns the domains that sites of an association may write from beside their own names, in order; those that
// all sites may write from are not among them.
func (m Mail) SendersOf(slug string) []string {
	var out []string
	for _, entry := range m.Senders {
		if of, domain, ok := strings.Cut(entry, "/"); ok && of == slug {
			out = append(out, domain)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SendersOfAll returns the domains that every site may write from.
func (m Mail) SendersOfAll() []string {
	return slices.DeleteFunc(slices.Clone(m.Senders), func(entry string) bool { return strings.Contains(entry, "/") })
}

// mailHost also takes names of one label, which is what servers on the co-op's own network have.
var mailHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

func checkSmarthost(c *Config) string {
	if c.Mail.Smarthost == "" {
		return ""
	}
	host, port := c.MailServer()
	_, notAnAddress := netip.ParseAddr(host)
	if within(port, 1, 65535) != "" || (notAnAddress != nil && (!mailHost.MatchString(host) || len(host) > 180)) {
		return fmt.Sprintf("found %q", c.Mail.Smarthost)
	}
	return ""
}

func checkMailTLS(c *Config) string {
	if !slices.Contains([]MailTLS{MailStartTLS, MailImplicit, MailNone}, c.Mail.TLS) {
		return fmt.Sprintf("found %q", c.Mail.TLS)
	}
	host, _ := c.MailServer()
	if c.Mail.TLS == MailNone && host != "" && !loopback(host) {
		return fmt.Sprintf("found none, but %s is another machine: mail and password would be readable on the way", host)
	}
	return ""
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

func checkMailUser(c *Config) string {
	if len(c.Mail.User) > 254 || strings.ContainsFunc(c.Mail.User, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return fmt.Sprintf("found %q", c.Mail.User)
	}
	if c.Mail.User != "" && c.Mail.Smarthost == "" {
		return fmt.Sprintf("found %q, but there is no mail.smarthost to sign in at", c.Mail.User)
	}
	return ""
}

func checkMailDomain(c *Config) string {
	if c.Mail.Domain == c.Domain {
		return "" // follows from the domain, whose faults are told already
	}
	return checkHost(c.Mail.Domain)
}

func checkForeign(c *Config) string {
	if c.Mail.Foreign != ForeignRewrite && c.Mail.Foreign != ForeignRefuse {
		return fmt.Sprintf("found %q", c.Mail.Foreign)
	}
	return ""
}
