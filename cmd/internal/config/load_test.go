package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"chatiere/cmd/internal/config"
)

var update = flag.Bool("update", false, "rewrite golden files")

const minimal = "instance: lilas\ndomain: lilas.example\n"

func parse(t *testing.T, text string, env ...string) config.Config {
	t.Helper()
	c, err := config.Parse("chatiere.yaml", []byte(text), env)
	if err != nil {
		t.Fatalf("parsing: %v", err)
	}
	return c
}

func faultsOf(t *testing.T, text string, env ...string) config.Faults {
	t.Helper()
	_, err := config.Parse("chatiere.yaml", []byte(text), env)
	var faults config.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("parsing gave %v, want faults", err)
	}
	if !errors.Is(err, config.ErrFaults) {
		t.Error("faults do not match ErrFaults")
	}
	return faults
}

func TestRightsComeFromWhatCanBeBelievedOfTheRealm(t *testing.T) {
	external := minimal + "identity:\n  external: true\n  issuer: https://id.example.org/realms/x\n"
	for text, want := range map[string]string{
		minimal: config.RightsGroups, external: "", external + "  admin_client_id: w\n": config.RightsDirectory,
		external + "  rights: roles\n": config.RightsRoles, external + "  admin_client_id: w\n  rights: roles\n": config.RightsRoles,
	} {
		if got := parse(t, text).Identity.Rights; got != want {
			t.Errorf("%s\nrights come from %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{
		external + "  rights: groups\n", external + "  admin_client_id: w\n  rights: groups\n", external + "  rights: directory\n",
		minimal + "identity:\n  rights: roles\n", minimal + "identity:\n  rights: names\n",
	} {
		if faults := faultsOf(t, text); len(faults) != 1 || faults[0].Key != "identity.rights" {
			t.Errorf("%s\nfaults %v", text, faults)
		}
	}
}

func TestSendersBelongToAnAssociationOrToAll(t *testing.T) {
	m := parse(t, minimal+"mail: {senders: [amap/b.example, amap/a.example, chorale/c.example, lilas.example, amap/a.example]}\n").Mail
	if got := m.SendersOf("amap"); !slices.Equal(got, []string{"a.example", "b.example"}) {
		t.Errorf("of amap: %v", got)
	}
	if got := m.SendersOf("lilas"); len(got) != 0 {
		t.Errorf("of another: %v", got)
	}
	if got := m.SendersOfAll(); !slices.Equal(got, []string{"lilas.example"}) {
		t.Errorf("of all: %v", got)
	}
	for _, bad := range []string{"amap/", "/a.example", "Amap/a.example", "amap/a.example/x", "amap/*.example", "amap/.example"} {
		if faults := faultsOf(t, minimal+"mail: {senders: [\""+bad+"\"]}\n"); faults[0].Key != "mail.senders" {
			t.Errorf("%q: %v", bad, faults)
		}
	}
}

func TestTwoKeysAreEnough(t *testing.T) {
	c := parse(t, minimal)
	for _, check := range []struct{ what, got, want string }{
		{"root", c.Root, "/var/lib/chatiere"},
		{"panel", c.PanelURL(), "https://panel.lilas.example"},
		{"issuer", c.Identity.Issuer, "https://id.lilas.example/realms/chatiere"},
		{"identity", c.IdentityURL(), "https://id.lilas.example"},
		{"socket", c.Database.Socket, "/var/lib/chatiere/run/mariadb/mysqld.sock"},
		{"sites' socket", c.SitesDatabase.Socket, "/var/lib/chatiere/run/mariadb-sites/mysqld.sock"},
		{"service account", c.Identity.AdminClientID, "chatiere-worker"},
	} {
		if check.got != check.want {
			t.Errorf("%s is %q, want %q", check.what, check.got, check.want)
		}
	}
	if c.PublicPort != 443 || c.Sites.LastUID != 265535 {
		t.Errorf("public port %d, last uid %d", c.PublicPort, c.Sites.LastUID)
	}
}

func TestPublicPortIsPartOfEveryURL(t *testing.T) {
	c := parse(t, minimal+"proxy: {https: ':8443'}\n")
	if got, want := c.SiteURL("demo.lilas.example"), "https://demo.lilas.example:8443"; got != want {
		t.Errorf("site URL %q, want %q", got, want)
	}
	if got, want := c.Identity.Issuer, "https://id.lilas.example:8443/realms/chatiere"; got != want {
		t.Errorf("issuer %q, want %q", got, want)
	}
	if got := c.IdentityHost(); got != "id.lilas.example" {
		t.Errorf("identity host %q", got)
	}
}

func TestExternalRealmNeedsOnlyItsIssuerAndClient(t *testing.T) {
	c := parse(t, minimal+"identity: {external: true, issuer: 'https://sso.other.example/realms/shared', client_id: lilas}\n")
	if c.Identity.AdminClientID != "" {
		t.Errorf("a service account %q was assumed", c.Identity.AdminClientID)
	}
	if hosts := c.PlatformHosts(); !slices.Equal(hosts, []string{"panel.lilas.example"}) {
		t.Errorf("platform hosts %v", hosts)
	}
	for _, use := range c.SecretUses() {
		if use.Name == config.SecretKCBootstrap || use.Name == config.SecretOIDCWorker {
			t.Errorf("secret %s is asked for", use.Name)
		}
	}
}

func TestEnvironmentWinsOverFile(t *testing.T) {
	c := parse(t, minimal+"sites: {pids: 64}\n", "CHATIERE_SITES_PIDS=99", "CHATIERE_EGRESS_ALLOW=a.example, *.b.example:443",
		"CHATIERE_IDENTITY_EXTERNAL=false", "CHATIERE_SITES_CPUS=0.5", "CHATIERE_SOCKET=/somewhere", "HOME=/root")
	if c.Sites.Pids != 99 || c.Sites.CPUs != 0.5 {
		t.Errorf("pids %d, cpus %v", c.Sites.Pids, c.Sites.CPUs)
	}
	if !slices.Equal(c.Egress.Allow, []string{"a.example", "*.b.example:443"}) {
		t.Errorf("allow list %q", c.Egress.Allow)
	}
}

func TestEnvironmentMendsAFaultOfTheFile(t *testing.T) {
	if c := parse(t, minimal+"sites: {pids: many}\n", "CHATIERE_SITES_PIDS=99"); c.Sites.Pids != 99 {
		t.Errorf("pids %d", c.Sites.Pids)
	}
}

func TestEmptyValueLeavesTheDefault(t *testing.T) {
	if c := parse(t, minimal+"language:\npanel:\n"); c.Language != "fr" || c.Panel.Host != "panel.lilas.example" {
		t.Errorf("language %q, panel %q", c.Language, c.Panel.Host)
	}
}

func TestMissingFileNamesTheVerbThatMakesIt(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "chatiere.yaml"), nil)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "chatiere setup") {
		t.Errorf("got %v", err)
	}
}

func TestFileIsFoundByVariable(t *testing.T) {
	if got := config.File("", []string{"CHATIERE_CONFIG=/a", "CHATIERE_CONFIG=/b"}); got != "/b" {
		t.Errorf("got %s", got)
	}
	if got := config.File("", nil); got != "/var/lib/chatiere/chatiere.yaml" {
		t.Errorf("got %s", got)
	}
}

func TestReportShowsEveryFaultAtOnce(t *testing.T) {
	data, err := os.ReadFile("testdata/faults.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Parse("chatiere.yaml", data, []string{"CHATIERE_SITES_PIDS=few", "CHATIERE_PANEL_HOTS=x"})
	var faults config.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v", err)
	}
	golden := "testdata/faults.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(faults.Report()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := faults.Report(); got != string(want) {
		t.Errorf("the report changed; it is now\n%s", got)
	}
}

func FuzzParseNeverPanicsAndAcceptsOnlyWhatIsUsable(f *testing.F) {
	faulty, err := os.ReadFile("testdata/faults.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{minimal, string(faulty), "a: &x [*x]", "instance: |\n  x\n", "{", "- 1", "? a\n: b", "---\n---\n", "root: !!int 3"} {
		f.Add([]byte(seed), "CHATIERE_ROOT=/a/b")
	}
	f.Fuzz(func(t *testing.T, data []byte, variable string) {
		c, err := config.Parse("f", data, []string{variable})
		if err != nil {
			if !errors.Is(err, config.ErrFaults) {
				t.Fatalf("an error that is no list of faults: %v", err)
			}
			return
		}
		if c.Instance == "" || c.Domain == "" || !filepath.IsAbs(c.Root) || len(c.Paths().EgressSocket("s000000000", "r999")) > 107 {
			t.Fatalf("accepted %+v", c)
		}
		for _, host := range append(c.PlatformHosts(), c.Domain) {
			if plain, err := idna.Lookup.ToASCII(host); err != nil || plain != host || strings.HasSuffix(host, ".") {
				t.Errorf("the host %q is none for a browser, or another: %q, %v", host, plain, err)
			}
		}
		if c.Sites.FirstUID < 100000 || c.Sites.LastUID < c.Sites.FirstUID || strings.Contains(c.Root, "..") {
			t.Errorf("accepted %+v with root %q", c.Sites, c.Root)
		}
	})
}
