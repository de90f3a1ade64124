package setup_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/setup"
)

func variables(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(read(t, config.PathsBelow(root).ComposeEnv())) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			out[name] = value
		}
	}
	return out
}

func TestImagesOfTheLastRunAreKept(t *testing.T) {
	o := wish(t)
	o.Images = map[string]string{"mariadb": "chatiere/mariadb:abc"}
	run(t, o)
	o.Images = map[string]string{"chatiere": "chatiere/chatiere:def"}
	run(t, o)
	v := variables(t, o.Root)
	if v["PLATFORM_MARIADB_IMAGE"] != "'chatiere/mariadb:abc'" || v["PLATFORM_IMAGE"] != "'chatiere/chatiere:def'" {
		t.Errorf("variables %v", v)
	}
	o.Images = map[string]string{"mariabd": "x"}
	if _, err := setup.Run(t.Context(), o, tools()); !errors.Is(err, setup.ErrImage) {
		t.Errorf("a misspelt container gave %v", err)
	}
}

func TestNamesPeopleChoseCannotBreakOutOfTheirQuotes(t *testing.T) {
	o := wish(t)
	run(t, o)
	if got := variables(t, o.Root)["PLATFORM_COOP_NAME"]; got != "'L’Atelier ”du” Lilas'" {
		t.Errorf("got %s", got)
	}
}

func TestFingerprintFollowsWhatTheContainerReads(t *testing.T) {
	o := wish(t)
	run(t, o)
	before := variables(t, o.Root)
	if err := os.Remove(config.PathsBelow(o.Root).Secret("db_sites_root")); err != nil {
		t.Fatal(err)
	}
	run(t, o)
	after := variables(t, o.Root)
	if before["PLATFORM_MARIADB_SITES_CONFIG"] == after["PLATFORM_MARIADB_SITES_CONFIG"] {
		t.Error("the sites' database would keep its old password")
	}
	if before["PLATFORM_MARIADB_CONFIG"] != after["PLATFORM_MARIADB_CONFIG"] {
		t.Error("the panel's database would be restarted for nothing")
	}
}

func TestAuthorityIsLimitedToOurNames(t *testing.T) {
	o := wish(t)
	run(t, o)
	block, _ := pem.Decode([]byte(read(t, config.PathsBelow(o.Root).CA())))
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ca.PermittedDNSDomains, []string{"lilas.example"}) {
		t.Errorf("it may sign for %v", ca.PermittedDNSDomains)
	}
}

func TestPanelOnAnotherDomainGetsItsOwnName(t *testing.T) {
	o := wish(t)
	o.Domain = "sites.example"
	t.Setenv("CHATIERE_PANEL_HOST", "panel.coop.example")
	with := tools()
	with.Environ = os.Environ()
	if _, err := setup.Run(t.Context(), o, with); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(read(t, config.PathsBelow(o.Root).Wildcard())))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"panel.coop.example", "id.sites.example", "any.sites.example"} {
		if err := leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
}

func TestAPanelDomainIsWrittenCertifiedAndKept(t *testing.T) {
	o := wish(t)
	o.PanelDomain = "coop.example"
	var said []string
	with := tools()
	with.Progress = func(line string) { said = append(said, line) }
	report, err := setup.Run(t.Context(), o, with)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(report.Config, nil)
	if err != nil || c.PanelURL() != "https://panel.coop.example:8443" || c.Identity.Issuer != "https://id.coop.example:8443/realms/chatiere" {
		t.Errorf("panel %s, issuer %s, %v", c.PanelURL(), c.Identity.Issuer, err)
	}
	block, _ := pem.Decode([]byte(read(t, c.Paths().CA())))
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !slices.Equal(ca.PermittedDNSDomains, []string{"coop.example", "lilas.example"}) {
		t.Errorf("the authority may sign for %v, %v", ca.PermittedDNSDomains, err)
	}
	if text := strings.Join(said, "\n"); strings.Contains(text, "note:") {
		t.Errorf("it warns although the names are apart: %s", text)
	}
	if again := run(t, setup.Options{Root: o.Root, PanelDomain: "coop.example"}); len(again.Changed) > 0 {
		t.Errorf("a second run wrote %v", again.Changed)
	}
	if _, err := setup.Run(t.Context(), setup.Options{Root: o.Root, PanelDomain: "autre.example"}, tools()); !errors.Is(err, setup.ErrDiffers) {
		t.Errorf("another panel domain: %v", err)
	}
}

func TestSetupNotesThatSitesShareTheNameOfThePanel(t *testing.T) {
	var said []string
	with := tools()
	with.Progress = func(line string) { said = append(said, line) }
	if _, err := setup.Run(t.Context(), wish(t), with); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, "lilas.example") || !strings.Contains(text, "--panel-domain") {
		t.Errorf("it said %s", text)
	}
}

func TestGivenCertificateIsBroughtToTheProxy(t *testing.T) {
	ours := wish(t)
	run(t, ours)
	from := config.PathsBelow(ours.Root)
	o := wish(t)
	with := tools()
	with.Environ = []string{"CHATIERE_TLS_MODE=files", "CHATIERE_TLS_FILES_CERT=" + from.Wildcard(), "CHATIERE_TLS_FILES_KEY=" + from.WildcardKey()}
	if _, err := setup.Run(t.Context(), o, with); err != nil {
		t.Fatal(err)
	}
	to := config.PathsBelow(o.Root)
	if read(t, to.Wildcard()) != read(t, from.Wildcard()) || read(t, to.WildcardKey()) != read(t, from.WildcardKey()) {
		t.Error("the proxy has another pair")
	}
	if _, err := os.Stat(to.CAKey()); !os.IsNotExist(err) {
		t.Errorf("an authority was made: %v", err)
	}
}

func TestExternalRealmLeavesItsSecretsToTheAdmin(t *testing.T) {
	o := wish(t)
	with := tools()
	with.Environ = []string{"CHATIERE_IDENTITY_EXTERNAL=true", "CHATIERE_IDENTITY_ISSUER=https://sso.other.example/realms/x"}
	if _, err := setup.Run(t.Context(), o, with); err != nil {
		t.Fatal(err)
	}
	p := config.PathsBelow(o.Root)
	if _, err := os.Stat(p.Secret(config.SecretOIDCPanel)); !os.IsNotExist(err) {
		t.Errorf("a secret of somebody else's realm was made up: %v", err)
	}
	if strings.Contains(read(t, p.SecretsOf("mariadb")+"/init.sql"), "keycloak") {
		t.Error("a database for a Keycloak that is not ours")
	}
	if v := variables(t, o.Root); v["COMPOSE_PROFILES"] != "''" || v["PLATFORM_IDENTITY_NETWORK"] != "'bridge'" {
		t.Errorf("variables %v", v)
	}
}
