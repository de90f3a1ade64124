package tenants_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"chatiere/tenants"
)

func TestIDsAreFreshAndWellFormed(t *testing.T) {
	form := regexp.MustCompile(`^[sa][0-9a-hj-km-np-tv-z]{9}$`)
	seen := map[string]bool{}
	for range 1000 {
		for _, id := range []string{tenants.NewSiteID(), tenants.NewAssociationID()} {
			if !form.MatchString(id) || seen[id] {
				t.Fatalf("id %q is malformed or repeated", id)
			}
			seen[id] = true
		}
	}
}

func TestHostNamesAreNormalizedOrExplained(t *testing.T) {
	h := tenants.Hosts{Domain: "lilas.coop", Platform: []string{"panel.lilas.coop", "tableau.lilas.coop", "id.equipe.lilas.coop"}}
	for _, c := range []struct{ typed, want, code string }{
		{"amap", "amap.lilas.coop", ""},
		{" AMAP ", "amap.lilas.coop", ""},
		{"amap.lilas.coop.", "amap.lilas.coop", ""},
		{"a-1", "a-1.lilas.coop", ""},
		{"", "", "missing"},
		{".", "", "missing"},
		{"-amap", "", "malformed"},
		{"amap-", "", "malformed"},
		{"am ap", "", "malformed"},
		{"amap\x00", "", "malformed"},
		{"été", "", "malformed"},
		{"аmap", "", "malformed"}, // a Cyrillic а, the oldest homograph
		{"xn--amp-5cd", "", "malformed"},
		{"a.b.lilas.coop", "", "malformed"},
		{strings.Repeat("a", 64), "", "too_long"},
		{"\u212aiosque", "", "malformed"}, // the Kelvin sign, whose small form is k
		{"\uff41map", "", "malformed"},    // a wide a
		{"am\u00adap", "", "malformed"},   // a soft hyphen
		{"AMAP.LILAS.COOP", "amap.lilas.coop", ""},
		{"amap..lilas.coop", "", "malformed"},
		{"amap.lilas.coop..", "", "foreign"},
		{"amap.lilas.coop:8443", "amap.lilas.coop", ""},
		{"https://amap.lilas.coop", "amap.lilas.coop", ""},
		{"https://Amap.lilas.coop:8443/", "amap.lilas.coop", ""},
		{"//amap.lilas.coop/wp-admin/?x=1#y", "amap.lilas.coop", ""},
		{"amap.lilas.coop/", "amap.lilas.coop", ""},
		{"http://amap/", "amap.lilas.coop", ""},
		{"lea@amap.lilas.coop", "amap.lilas.coop", ""},
		{"https://lea:x@amap.lilas.coop/", "amap.lilas.coop", ""},
		{"lea@lilas.coop", "", "foreign"},
		{"amap:port", "", "malformed"},
		{"amap:", "", "malformed"},
		{"https://", "", "missing"},
		{"https://amap.example.org/", "", "foreign"},
		{"[::1]", "", "malformed"},
		{"127.0.0.1", "", "foreign"},
		{"am--ap", "", "malformed"},
		{"panel", "", "reserved"},
		{"WWW", "", "reserved"},
		{"tableau", "", "reserved"},
		{"equipe", "", "reserved"}, // its cookies would reach the sign-in below it
		{"amap.example.org", "", "foreign"},
		{"lilas.coop", "", "foreign"},
		{"amap.evil-lilas.coop", "", "foreign"},
	} {
		got, fault := h.Normalize(c.typed)
		code := ""
		if fault != nil {
			code = fault.Code
		}
		if got != c.want || code != c.code {
			t.Errorf("Normalize(%q) = %q, fault %q; want %q, %q", c.typed, got, code, c.want, c.code)
		}
	}
}

func TestAProposalIsMadeFromWhatWasMeant(t *testing.T) {
	h := tenants.Hosts{Domain: "lilas.coop"}
	for typed, want := range map[string]string{
		"https://essai21.lilas.coop:8443/": "essai21", "http://essai21/": "essai21", "lea@lilas.coop": "lea", "lilas.coop": "",
		"https://lilas.coop/": "", "essai.example.org": "essai.example.org", " Été ": "Été", "//essai.lilas.coop.": "essai",
	} {
		if got := h.Label(typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

func TestProposalIsFreeAndWellFormed(t *testing.T) {
	h := tenants.Hosts{Domain: "lilas.coop"}
	taken := map[string]bool{"amap-du-puy.lilas.coop": true, "amap-du-puy-2.lilas.coop": true}
	got, err := h.Propose("Amap du Puy !", func(host string) (bool, error) { return taken[host], nil })
	if err != nil || got != "amap-du-puy-3.lilas.coop" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, _ := h.Propose("www", func(string) (bool, error) { return false, nil }); got != "www-2.lilas.coop" {
		t.Errorf("a reserved wish gave %q", got)
	}
	broken := errors.New("database is down")
	if _, err := h.Propose("amap", func(string) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("the question's failure is lost: %v", err)
	}
}

func TestSlugsLoseAccentsAndSigns(t *testing.T) {
	for in, want := range map[string]string{
		"Théâtre du Lac": "theatre-du-lac", "L’Œuvre d’Été": "l-oeuvre-d-ete", "  Ça & là  ": "ca-la", "123": "123",
		"---": "", "日本": "", strings.Repeat("ab", 40): strings.Repeat("ab", 20),
	} {
		if got := tenants.Slugify(in); got != want {
			t.Errorf("Slugify(%q) = %q, want %q", in, got, want)
		}
	}
}

// The table says for every action what each principal is told, on an association of their own and on another's.
func TestAuthorizeEveryActionForEveryPrincipal(t *testing.T) {
	person := func(role tenants.Role, admin, second bool) tenants.Principal {
		p := tenants.Principal{Kind: tenants.KindPerson, CoopAdmin: admin, SecondFact: second}
		if role != "" {
			p.Memberships = map[string]tenants.Role{"own": role}
		}
		return p
	}
	reader := person(tenants.RoleManager, true, true)
	reader.Kind, reader.Scopes = tenants.KindToken, []tenants.Scope{tenants.ScopeRead}
	principals := map[string]tenants.Principal{
		"admin": person("", true, true), "admin without": person("", true, false), "manager": person(tenants.RoleManager, false, false),
		"member": person(tenants.RoleMember, false, false), "anonymous": tenants.Anonymous(), "read token": reader, "local": tenants.Local(),
	}
	order := []string{"admin", "admin without", "manager", "member", "anonymous", "read token", "local"}
	// + allowed, 2 second factor, - forbidden, ? not found, ! sign in; own association then foreign.
	want := map[tenants.Action][2]string{
		tenants.ActAssociationsList:  {"+2--!++", "+2??!++"},
		tenants.ActAssociationCreate: {"+2--!-+", "+2??!-+"},
		tenants.ActAssociationShow:   {"+2++!++", "+2??!++"},
		tenants.ActSitesListAll:      {"+2--!++", "+2??!++"},
		tenants.ActSiteShow:          {"+2++!++", "+2??!++"},
		tenants.ActSiteCreate:        {"+2--!-+", "+2??!-+"},
		tenants.ActSiteSuspend:       {"+2--!-+", "+2??!-+"},
		tenants.ActSiteResume:        {"+2--!-+", "+2??!-+"},
		tenants.ActSiteDelete:        {"+2+-!-+", "+2??!-+"},
		tenants.ActSiteRestore:       {"+2+-!-+", "+2??!-+"},
		tenants.ActSitePurge:         {"+2--!-+", "+2??!-+"},
		tenants.ActSiteUpdate:        {"+2--!-+", "+2??!-+"},
		tenants.ActSiteRepair:        {"+2--!-+", "+2??!-+"},
		tenants.ActSiteBackup:        {"+2+-!-+", "+2??!-+"},
		tenants.ActSiteRecover:       {"+2+-!-+", "+2??!-+"},
		tenants.ActSiteBackups:       {"+2++!++", "+2??!++"},
		tenants.ActSiteEnter:         {"+2+-!-+", "+2??!-+"},
		tenants.ActOperationShow:     {"+2++!++", "+2??!++"},
		tenants.ActOperationCancel:   {"+2+-!-+", "+2??!-+"},
		tenants.ActOperationRetry:    {"+2+-!-+", "+2??!-+"},
		tenants.ActTemplatesList:     {"++++!++", "++??!++"},
		tenants.ActTokensOwn:         {"++++!-+", "++??!-+"},
		tenants.ActAccount:           {"++++!++", "++??!++"},
		tenants.ActSessionsOwn:       {"++++!-+", "++??!-+"},
		tenants.ActSessionsEnd:       {"+2--!-+", "+2??!-+"},
		tenants.ActDoctor:            {"+2--!++", "+2??!++"},
		tenants.ActAuditRead:         {"+2--!++", "+2??!++"},
		tenants.ActPlatformShow:      {"+2--!++", "+2??!++"},
		tenants.ActSiteFindings:      {"+2+-!++", "+2??!++"},
		tenants.ActJournalShow:       {"+2+-!++", "+2??!++"},
		tenants.ActSiteMail:          {"+2+-!++", "+2??!++"},
		tenants.ActEgressShow:        {"+2+-!++", "+2??!++"},
		tenants.ActAccessList:        {"+2--!++", "+2??!++"},
		tenants.ActAccessAsk:         {"+2+-!-+", "+2??!-+"},
		tenants.ActAccessGrant:       {"+2--!-+", "+2??!-+"},
		tenants.ActAccessRefuse:      {"+2--!-+", "+2??!-+"},
		tenants.ActAccessRevoke:      {"+2--!-+", "+2??!-+"},
	}
	for _, a := range tenants.Actions() {
		if _, ok := want[a]; !ok {
			t.Errorf("action %s is missing from this table", a)
		}
	}
	for a, row := range want {
		for i, slug := range []string{"own", "foreign"} {
			got := ""
			for _, name := range order {
				got += sign(tenants.Authorize(principals[name], a, slug))
			}
			if got != row[i] {
				t.Errorf("%s on %s association: %q, want %q (%v)", a, slug, got, row[i], order)
			}
		}
	}
	if err := tenants.Authorize(tenants.Local(), "something.new", ""); !errors.Is(err, tenants.ErrForbidden) {
		t.Errorf("an action without a rule: %v, want ErrForbidden", err)
	}
}

// Who may take back what somebody did: the right to the act alone does not suffice where the co-op did it.
func TestAuthorizeReversalForEveryPrincipalAndSide(t *testing.T) {
	manager := tenants.Principal{Kind: tenants.KindPerson, Memberships: map[string]tenants.Role{"own": tenants.RoleManager}}
	member := tenants.Principal{Kind: tenants.KindPerson, Memberships: map[string]tenants.Role{"own": tenants.RoleMember}}
	both, without := manager, manager
	both.CoopAdmin, both.SecondFact, without.CoopAdmin = true, true, true
	token := manager
	token.Kind, token.Scopes = tenants.KindToken, []tenants.Scope{tenants.ScopeWrite}
	order := []tenants.Principal{manager, token, without, both, member, tenants.Local(), tenants.System(), tenants.Anonymous()}
	want := map[tenants.Action]map[tenants.Side]string{
		tenants.ActSiteDelete:  {tenants.SideAssociation: "++++-++!", tenants.SideCoop: "--2+-++!", "": "--2+-++!"},
		tenants.ActSiteRestore: {tenants.SideAssociation: "++++-++!", tenants.SideCoop: "--2+-++!", "": "--2+-++!"},
		tenants.ActSiteSuspend: {tenants.SideAssociation: "--2+-++!", tenants.SideCoop: "--2+-++!", "": "--2+-++!"},
		tenants.ActSiteUpdate:  {tenants.SideAssociation: "--2+-++!", tenants.SideCoop: "--2+-++!", "": "--2+-++!"},
		tenants.ActSiteRepair:  {tenants.SideAssociation: "--2+-++!", tenants.SideCoop: "--2+-++!", "": "--2+-++!"},
		"something.new":        {tenants.SideAssociation: "--------", tenants.SideCoop: "--------", "": "--------"},
	}
	for act, sides := range want {
		for side, row := range sides {
			got := ""
			for _, p := range order {
				got += sign(tenants.AuthorizeReversal(p, act, "own", side))
			}
			if got != row {
				t.Errorf("%s, done by %q: %s, want %s", act, side, got, row)
			}
		}
	}
}

func sign(err error) string {
	switch {
	case err == nil:
		return "+"
	case errors.Is(err, tenants.ErrStepUp):
		return "2"
	case errors.Is(err, tenants.ErrForbidden):
		return "-"
	case errors.Is(err, tenants.ErrNotFound):
		return "?"
	case errors.Is(err, tenants.ErrUnauthenticated):
		return "!"
	}
	return "x"
}

func TestDatabasesAreNamedAfterSiteAndGeneration(t *testing.T) {
	for generation, want := range map[int]string{0: "site_s7k2m9qx4p", 1: "site_s7k2m9qx4p", 2: "site_s7k2m9qx4p_2", 12: "site_s7k2m9qx4p_12"} {
		name := tenants.DatabaseName("s7k2m9qx4p", generation)
		if name != want || tenants.DatabaseSite(name) != "s7k2m9qx4p" {
			t.Errorf("generation %d: %s, of site %q", generation, name, tenants.DatabaseSite(name))
		}
	}
	for _, other := range []string{"mysql", "chatiere", "keycloak_site_s7k2m9qx4p"} {
		if site := tenants.DatabaseSite(other); site != "" {
			t.Errorf("%s is taken for the database of site %q", other, site)
		}
	}
}
