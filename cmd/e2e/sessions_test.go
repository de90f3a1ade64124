//go:build e2e

package e2e_test

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/demo"
	"chatiere/cmd/internal/wire"
	"chatiere/panel/api"
	"chatiere/tenants/audit"
	"chatiere/tenants/keycloak"
)

// caller is a person's browser without a window: it keeps cookies, follows redirects and fills Keycloak's form in.
type caller struct {
	*instance
	web *http.Client
}

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

func (i *instance) call(t *testing.T, p demo.Person) *caller {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{i, &http.Client{Transport: i.web.Transport, Jar: jar, Timeout: 30 * time.Second}}
	_, _, page := c.get(t, i.summary.PanelURL+"/auth/login")
	form := formAction.FindStringSubmatch(page)
	if form == nil {
		t.Fatal("Keycloak's page has no form")
	}
	res, err := c.web.PostForm(html.UnescapeString(form[1]), url.Values{"username": {p.Username}, "password": {p.Password}})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if !c.signedIn(t) {
		t.Fatalf("%s is not signed in; the form led to %s", p.Username, res.Request.URL)
	}
	return c
}

// get follows redirects and returns where they led.
func (c *caller) get(t *testing.T, address string) (status int, at, body string) {
	t.Helper()
	res, err := c.web.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Request.URL.Path, string(text)
}

func (c *caller) signedIn(t *testing.T) bool {
	t.Helper()
	status, at, _ := c.get(t, c.summary.PanelURL+"/account")
	return status == http.StatusOK && at == "/account"
}

func (i *instance) realm(t *testing.T) (*keycloak.Client, keycloak.User) {
	t.Helper()
	kc, err := wire.Keycloak(i.config)
	if err != nil {
		t.Fatal(err)
	}
	u, err := kc.FindUser(t.Context(), i.summary.Member.Username)
	if err != nil {
		t.Fatal(err)
	}
	return kc, u
}

// sql runs a statement in the panel's database as its root.
func (i *instance) sql(t *testing.T, statement string) string {
	t.Helper()
	password, err := os.ReadFile(i.config.Paths().Secret(config.SecretDBRoot))
	if err != nil {
		t.Fatal(err)
	}
	return run(t, "docker", "exec", "-e", "MYSQL_PWD="+strings.TrimSpace(string(password)), i.container("mariadb"),
		"mariadb", "--no-defaults", "-S", "/run/mysqld/mysqld.sock", "-uroot", "-N", "-e", statement, i.config.Database.Name)
}

// The real Keycloak tells the panel, through the proxy, that a person has signed out there.
func TestSigningOutAtKeycloakEndsThePanelsSessionsWithinSeconds(t *testing.T) {
	i := open(t)
	one, two := i.call(t, i.summary.Member), i.call(t, i.summary.Member)
	kc, member := i.realm(t)
	if err := kc.Logout(t.Context(), member.ID); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*caller{one, two} {
		eventually(t, 10*time.Second, "the end of the session", func() (bool, string) { return !c.signedIn(t), "signed in" })
	}
	var l api.AuditPage
	if err := i.panel.Get(t.Context(), api.PathAudit+"?act=session.issuer_end&limit=1", &l); err != nil || len(l.Items) != 1 || time.Since(l.Items[0].At) > time.Minute {
		t.Errorf("the trail says %+v, %v", l.Items, err)
	}
}

// A right that was taken away in Keycloak is gone for pages and keys once the session's rights are five minutes old.
func TestAMemberWhoLeftTheGroupLosesPagesAndKeys(t *testing.T) {
	i := open(t)
	c, site := i.call(t, i.summary.Member), i.demoSite(t)
	page := i.summary.PanelURL + "/sites/" + site.ID
	if status, _, _ := c.get(t, page); status != http.StatusOK {
		t.Fatalf("before, the member's page answers %d", status)
	}
	kc, member := i.realm(t)
	group, err := kc.GroupByPath(t.Context(), "/assos/"+i.summary.Association+"/membres")
	if err != nil {
		t.Fatal(err)
	}
	if err := kc.RemoveMember(t.Context(), member.ID, group.ID); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kc.AddMember(context.WithoutCancel(t.Context()), member.ID, group.ID); err != nil {
			t.Error(err)
		}
	})
	i.sql(t, "UPDATE sessions SET rights_at = rights_at - INTERVAL 5 MINUTE WHERE kc_sub = '"+member.ID+"'")
	if status, _, _ := c.get(t, page); status != http.StatusNotFound {
		t.Errorf("afterwards, the page answers %d, want 404", status)
	}
	if left := i.sql(t, "SELECT COUNT(*) FROM association_members WHERE subject = '"+member.ID+"'"); left != "0" {
		t.Errorf("%s memberships are left, by which keys live", left)
	}
}

// Root on the server learns which row was changed, although the panel itself cannot tell.
func TestAuditVerifyNamesTheRowThatWasChanged(t *testing.T) {
	i := open(t)
	worker, err := apiclient.FindWorker(apiclient.Target{Socket: i.config.Paths().CLISocket()})
	if err != nil {
		t.Fatal(err)
	}
	verify := func() audit.Report {
		r, err := worker.VerifyAudit(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := verify(); !r.Intact() || r.Rows < 2 || r.Heads == 0 {
		t.Fatalf("before anything was done: %+v", r)
	}
	id := i.sql(t, "SELECT MIN(id) + 1 FROM audit")
	i.sql(t, "UPDATE audit SET detail = CONCAT(detail, 'x') WHERE id = "+id)
	r := verify()
	i.sql(t, "UPDATE audit SET detail = LEFT(detail, CHAR_LENGTH(detail) - 1) WHERE id = "+id)
	if r.Intact() || r.Faults[0].Kind != audit.Changed || strconv.FormatInt(r.Faults[0].ID, 10) != id {
		t.Errorf("row %s changed: %+v", id, r.Faults)
	}
	if r := verify(); !r.Intact() {
		t.Errorf("put right: %+v", r.Faults)
	}
}
