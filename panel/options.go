package panel

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"chatiere/panel/assets"
	"chatiere/panel/auth"
	"chatiere/panel/views"
	"chatiere/tenants"
	"chatiere/tenants/identity"
	"chatiere/tenants/identity/assertion"
	"chatiere/tenants/operations"
)

// Options configure the panel.
type Options struct {
	PublicURL string // such as "https://panel.lilas.coop:8443", without a slash at the end
	Coop      Coop
	Sites     SiteSettings
	Sockets   Sockets
	SignIn    SignInSettings
	Entry     EntrySettings
	Heartbeat time.Duration // between signs of life on a stream, where rights are looked at again; 0: 15 s

	Records     Records
	Provisioner Provisioner
	Grants      EgressGrants
	NamePolicy  tenants.NamePolicy // names that can be asked for
	Catalogue   Catalogue
	Monitor     PlatformMonitor // nil: the state of the platform's parts is not known
	Doctor      Doctor          // nil: asking for it answers that it is not available
	// PastPivot tells that an operation can only go on; nil: never known, so that the use cases alone decide.
	PastPivot func(operations.Operation) bool

	Views  *views.Set
	Assets *assets.Set
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger
}

// SiteSettings are what the pages say of sites.
type SiteSettings struct {
	Domain     string // such as "lilas.coop"
	Port       int    // port in the sites' addresses; 0 or 443: none
	Instance   string // names the sites' containers
	DataRoot   string // shown to volunteers as where a site's files are
	MemoryMiB  int    // a site's limit, shown to volunteers
	MailHourly int    // recipients per site and hour; 0: no mail leaves
}

// Sockets are where the panel listens.
type Sockets struct {
	Edge  string // for the proxy: <root>/run/panel/panel.sock
	Local string // for root on the server: <root>/run/cli/panel.sock
}

// SignInSettings are what signing in needs.
type SignInSettings struct {
	Identity   identity.Settings // PublicURL is filled in from Options
	AccountURL string            // the issuer's page for password and second factor; "" hides the link
	SessionKey []byte            // content of secrets/session_key
	Limits     auth.Limits
	People     auth.MemberStore
	Store      auth.Store
	// Identities ends sessions at the issuer; nil where nobody may.
	Identities Identities
}

// EntrySettings are what entering sites needs.
type EntrySettings struct {
	Issuer Entries                         // nil: nobody enters a site from here
	Former map[string][]assertion.Identity // who people were at a former issuer, by their subject now
}

// Coop is who runs the platform.
type Coop struct {
	Name    string
	Contact string // e-mail address or URL
}

func (o *Options) fill() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 15 * time.Second
	}
	o.SignIn.Identity.PublicURL = o.PublicURL
}

func (o Options) check() error {
	var missing []error
	for name, there := range map[string]bool{
		"PublicURL": o.PublicURL != "", "Sites.Domain": o.Sites.Domain != "", "SignIn.Identity.Client": o.SignIn.Identity.Client != nil,
		"Records": o.Records != nil, "SignIn.People": o.SignIn.People != nil, "SignIn.Store": o.SignIn.Store != nil, "Provisioner": o.Provisioner != nil, "Grants": o.Grants != nil,
		"Catalogue": o.Catalogue != nil, "Views": o.Views != nil, "Assets": o.Assets != nil, "Log": o.Log != nil,
	} {
		if !there {
			missing = append(missing, fmt.Errorf("panel option %s is missing", name))
		}
	}
	return errors.Join(missing...)
}

// originOf returns scheme, host and port of a URL; "" when it has none.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
