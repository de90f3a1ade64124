package config_test

import (
	"slices"
	"strings"
	"testing"
)

func TestTheCertificateCoversWhatThePlatformAnswersAt(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"all below the domain", minimal, []string{"lilas.example"}},
		{"a panel one level deeper", minimal + "panel: {host: panel.coop.lilas.example}\n", []string{"lilas.example", "coop.lilas.example"}},
		{"a panel below another domain", minimal + "panel: {host: panel.autre.example}\n", []string{"lilas.example", "autre.example"}},
		{"an issuer below another domain", minimal + "identity: {issuer: 'https://id.autre.example/realms/chatiere'}\n", []string{"lilas.example", "autre.example"}},
		{"an issuer with a port", minimal + "public_port: 8443\nidentity: {issuer: 'https://id.lilas.example:8443/realms/chatiere'}\n", []string{"lilas.example"}},
		{"a panel right below a top-level domain", minimal + "panel: {host: autre.example}\n", []string{"lilas.example", "autre.example"}},
		{"a panel right above the sites", "instance: lilas\ndomain: sites.lilas.co.uk\npanel: {host: lilas.co.uk}\n", []string{"sites.lilas.co.uk", "lilas.co.uk"}},
		{"a foreign realm", minimal + "identity: {external: true, issuer: 'https://sso.autre.example/realms/r', client_id: lilas}\n", []string{"lilas.example"}},
	} {
		if got := parse(t, c.text).CertificateDomains(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTheNameThatSitesShareWithThePlatform(t *testing.T) {
	apart := "panel: {host: panel.coop.example}\nidentity: {issuer: 'https://id.coop.example/realms/chatiere'}\n"
	for _, c := range []struct{ name, text, want string }{
		{"all below the domain", minimal, "lilas.example"},
		{"panel and sign-in elsewhere", minimal + apart, ""},
		{"only the panel elsewhere", minimal + "panel: {host: panel.coop.example}\n", "lilas.example"},
		{"sites one level deeper", "instance: lilas\ndomain: sites.coop.example\n" + apart, "coop.example"},
		{"names below localhost", "instance: lilas\ndomain: chatiere.localhost\n" + strings.ReplaceAll(apart, ".example", ".localhost"), ""},
		{"two names below co.uk", "instance: lilas\ndomain: lilas.co.uk\n" + strings.ReplaceAll(apart, ".example", ".co.uk"), ""},
		{"a public suffix for the sites", "instance: lilas\ndomain: github.io\n", ""},
		{"a foreign sign-in beside the sites", minimal + "panel: {host: panel.coop.example}\nidentity: {external: true, issuer: 'https://sso.lilas.example/realms/r', client_id: lilas}\n", "lilas.example"},
	} {
		if got := parse(t, c.text).SharedName(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
