package setup

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/template"

	"chatiere/cmd/internal/config"
)

// fresh is what a new configuration file looks like. It holds what differs from one co-op to the next; the other keys
// have defaults, which may improve from one release to the next only where nobody froze them.
var fresh = template.Must(template.New("chatiere.yaml").Funcs(template.FuncMap{"quote": strconv.Quote, "panelHost": panelHost}).Parse(
	`# Chatière's configuration. "chatiere config check" says what is wrong with it, and where.
# Keys that are left out have defaults; each can be overridden by a variable, such as CHATIERE_PUBLIC_PORT.
# It holds no secrets: those are in the directory beside it.
instance: {{quote .Instance}}
root: {{quote .Root}}

# Sites live below this name, on this port of https.
domain: {{quote .Domain}}
public_port: {{.PublicPort}}
language: {{.Language}}

coop:
  name: {{quote .CoopName}}
  contact: {{quote .Contact}}

# Where the proxy listens; plain http only sends people to https.
proxy:
  https: ":{{.HTTPSPort}}"
  http: ":{{.HTTPPort}}"
{{- if .PanelDomain}}

# The panel and the sign-in answer below another registrable name than the sites: scripts of a site can set cookies for
# every host below its own.
panel:
  host: {{quote (panelHost .PanelDomain)}}
identity:
  issuer: {{quote .Issuer}}
{{- end}}
`))

func panelHost(domain string) string { return "panel." + domain }

func identityHost(domain string) string { return "id." + domain }

// Issuer returns the realm's address below PanelDomain.
func (o Options) Issuer() string {
	return config.Config{PublicPort: o.PublicPort}.SiteURL(identityHost(o.PanelDomain)) + "/realms/chatiere"
}

// configuration writes the file if there is none, and reads it in any case.
func (r *run) configuration() error {
	_, err := os.Stat(r.paths.Config())
	if errors.Is(err, fs.ErrNotExist) {
		err = r.writeConfiguration()
	}
	if err != nil {
		return err
	}
	r.config, err = config.Load(r.paths.Config(), r.tools.Environ)
	if err != nil {
		return err
	}
	if name := r.config.SharedName(); name != "" {
		r.tools.Progress("note: panel, sign-in and sites are all below " + name +
			"; cookies that a site's scripts set reach all of them. --panel-domain puts the first two elsewhere")
	}
	return r.contradictions()
}

func (r *run) writeConfiguration() error {
	o := r.options.withDefaults()
	var text bytes.Buffer
	if err := fresh.Execute(&text, o); err != nil {
		return err
	}
	// Checked before it is written: a file that is refused would stand in the way of the next try.
	if _, err := config.Parse("command line", text.Bytes(), r.tools.Environ); err != nil {
		return err
	}
	changed, err := entry{path: r.paths.Config(), mode: 0o644}.write(text.Bytes())
	r.addChange(r.paths.Config(), changed)
	return err
}

// filled sets what was left open for a new file.
func (o Options) withDefaults() Options {
	o.Instance = cmp.Or(o.Instance, "main")
	o.Language = cmp.Or(o.Language, "fr")
	o.CoopName = cmp.Or(o.CoopName, "Chatière")
	o.HTTPSPort = cmp.Or(o.HTTPSPort, 443)
	o.HTTPPort = cmp.Or(o.HTTPPort, 80)
	o.PublicPort = cmp.Or(o.PublicPort, o.HTTPSPort)
	return o
}

// contradictions compares what was asked for with an existing file, and names every difference.
func (r *run) contradictions() error {
	o, c := r.options, r.config
	identity := c.IdentityHost()
	if c.Identity.External {
		identity = below(identityHost, o.PanelDomain) // somebody else's sign-in is where they want it
	}
	var differ []string
	for _, w := range []struct{ key, asked, has string }{
		{"instance", o.Instance, c.Instance},
		{"root", o.Root, c.Root},
		{"domain", o.Domain, c.Domain},
		{"panel.host", below(panelHost, o.PanelDomain), c.Panel.Host},
		{"the host of identity.issuer", below(identityHost, o.PanelDomain), identity},
		{"language", o.Language, c.Language},
		{"coop.name", o.CoopName, c.Coop.Name},
		{"coop.contact", o.Contact, c.Coop.Contact},
		{"proxy.https", portText(o.HTTPSPort), portOf(c.Proxy.HTTPS)},
		{"proxy.http", portText(o.HTTPPort), portOf(c.Proxy.HTTP)},
		{"public_port", portText(o.PublicPort), strconv.Itoa(c.PublicPort)},
	} {
		if w.asked != "" && w.asked != w.has {
			differ = append(differ, fmt.Sprintf("%s is %q, %q was asked for", w.key, w.has, w.asked))
		}
	}
	if differ == nil {
		return nil
	}
	return fmt.Errorf("%w: in %s, %s; change it there, or leave the flag out", ErrDiffers, r.paths.Config(), strings.Join(differ, "; "))
}

// below returns a host of the domain that was asked for, "" when none was.
func below(host func(domain string) string, domain string) string {
	if domain == "" {
		return ""
	}
	return host(domain)
}

func portText(port int) string {
	if port == 0 {
		return ""
	}
	return strconv.Itoa(port)
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
