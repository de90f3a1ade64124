//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"chatiere/cmd/internal/demo"
	"chatiere/panel/api"
	"chatiere/tenants/identity/assertion"
	"chatiere/tenants/keycloak"
)

// wpUser is a person's browser, or a program, at one site's own doors.
type wpUser struct {
	*instance
	site    api.Site
	cookies []*http.Cookie
	nonce   string // for requests by cookie to the REST interface
	basic   [2]string
}

// arrives enters a site by an assertion and returns who is in.
func (i *instance) arrivesAt(t *testing.T, s api.Site, person func(*assertion.Entry)) wpUser {
	t.Helper()
	res := i.enters(t, http.MethodGet, s, i.assertion(t, time.Now(), s, person))
	if res.StatusCode != http.StatusSeeOther || !signedIn(res) {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("entering answers %d: %.400s", res.StatusCode, body)
	}
	u := wpUser{instance: i, site: s, cookies: res.Cookies()}
	u.nonce = u.ask(t, http.MethodGet, "/wp-admin/admin-ajax.php?action=rest-nonce", "").body
	return u
}

// withPassword signs in to a site at its own sign-in page; without success nobody is in.
func (i *instance) withPassword(t *testing.T, s api.Site, login, password string) wpUser {
	t.Helper()
	u := wpUser{instance: i, site: s, cookies: []*http.Cookie{{Name: "wordpress_test_cookie", Value: "WP Cookie check"}}}
	form := url.Values{"log": {login}, "pwd": {password}, "testcookie": {"1"}, "wp-submit": {"x"}}
	answer := u.ask(t, http.MethodPost, "/wp-login.php", form.Encode())
	u.cookies = answer.cookies
	u.nonce = u.ask(t, http.MethodGet, "/wp-admin/admin-ajax.php?action=rest-nonce", "").body
	return u
}

type wpAnswer struct {
	status  int
	body    string
	cookies []*http.Cookie
}

// ask sends one request; a body that begins with a brace is JSON.
func (u wpUser) ask(t *testing.T, method, path, body string) wpAnswer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, at(u.site.URL)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	if u.nonce != "" {
		req.Header.Set("X-WP-Nonce", u.nonce)
	}
	if u.basic[0] != "" {
		req.SetBasicAuth(u.basic[0], u.basic[1])
	}
	for _, c := range u.cookies {
		if strings.Contains(c.Name, "_sec_") && !strings.Contains(path, "/wp-admin/") {
			continue // as browsers do: its path is /wp-admin
		}
		req.AddCookie(c)
	}
	res, err := u.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var kept []*http.Cookie
	for _, c := range res.Cookies() {
		if c.MaxAge >= 0 && strings.TrimSpace(c.Value) != "" {
			kept = append(kept, c)
		}
	}
	return wpAnswer{status: res.StatusCode, body: string(text), cookies: kept}
}

// roles are those the REST interface says somebody has; "" for nobody.
func (u wpUser) roles(t *testing.T) string {
	t.Helper()
	var me struct{ Roles []string }
	answer := u.ask(t, http.MethodGet, "/wp-json/wp/v2/users/me?context=edit", "")
	if answer.status == http.StatusOK {
		if err := json.Unmarshal([]byte(answer.body), &me); err != nil {
			t.Fatalf("%v: %.300s", err, answer.body)
		}
	}
	return strings.Join(me.Roles, ",")
}

// manages tells whether somebody sees the list of all accounts, which an administrator alone does.
func (u wpUser) manages(t *testing.T) bool {
	t.Helper()
	return u.ask(t, http.MethodGet, "/wp-admin/users.php", "").status == http.StatusOK
}

// wpAccount is what the site knows of the account that somebody has, by the id they have at the co-op.
type wpAccount struct {
	ID                        int
	Login, Email, Name, Roles string
}

func (i *instance) accountOf(t *testing.T, site, subject string) wpAccount {
	t.Helper()
	var found []wpAccount
	out := i.wp(t, site, fmt.Sprintf(`echo json_encode(array_map(
		fn($u) => ["ID" => $u->ID, "Login" => $u->user_login, "Email" => $u->user_email, "Name" => $u->display_name, "Roles" => implode(",", $u->roles)],
		get_users(["meta_key" => "chatiere_subject", "meta_value" => "%s"])));`, subject))
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found) != 1 {
		t.Fatalf("accounts of %s: %s (%v)", subject, out, err)
	}
	return found[0]
}

// plant makes an account with an address, and every kind of key to it.
func (i *instance) plant(t *testing.T, s api.Site, login, address, role string) (password, application string) {
	t.Helper()
	password = "graine-" + random()
	application = i.wp(t, s.ID, fmt.Sprintf(`
		$id = wp_insert_user(["user_login" => "%s", "user_pass" => "%s", "user_email" => "%s", "role" => "%s"]);
		echo WP_Application_Passwords::create_new_application_password($id, ["name" => "x"])[0];`, login, password, address, role))
	return password, application
}

// Whoever makes an account with a manager's address before the manager comes must gain nothing by it.
func TestAnAccountPlantedWithAManagersAddressStaysWhatItIs(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	for _, role := range []string{"subscriber", "editor", "administrator"} {
		address := role + "-" + random() + "@lilas.example"
		password, application := i.plant(t, s, "graine-"+role, address, role)
		planted := i.withPassword(t, s, "graine-"+role, password)
		if got := planted.roles(t); got != role {
			t.Fatalf("the planted account is %q, want %q", got, role)
		}
		for range 2 {
			manager := i.arrivesAt(t, s, func(e *assertion.Entry) { e.Subject, e.Email = "lea-"+role, address })
			if !manager.manages(t) {
				t.Errorf("the manager with the address of a %s is no administrator", role)
			}
		}
		own := i.accountOf(t, s.ID, "lea-"+role)
		if own.Login == "graine-"+role || own.Roles != "administrator" || own.Email != "" {
			t.Errorf("the manager has %+v, want an account of their own, without the address that the other has", own)
		}
		program := wpUser{instance: i, site: s, basic: [2]string{"graine-" + role, application}}
		if a, b := planted.roles(t), program.roles(t); a != role || b != role {
			t.Errorf("the planted %s is now %q in its browser and %q with its key", role, a, b)
		}
	}
}

// A right at the co-op that ends must end everything: what lets in past the panel does not exist for the accounts of its people.
func TestTheAccountOfAPersonHasNoWayInButTheirEntry(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	subject, _ := i.newManager(t)
	person := func(e *assertion.Entry) { e.Subject, e.Email = subject, "lea@lilas.example" }
	lea := i.arrivesAt(t, s, person)
	local := wpUser{instance: i, site: s, cookies: i.wordpressLogin(t, s)}
	local.nonce = local.ask(t, http.MethodGet, "/wp-admin/admin-ajax.php?action=rest-nonce", "").body
	own := i.accountOf(t, s.ID, subject)
	const password = "Un-mot-de-passe-a-elle-7"
	users := fmt.Sprintf("/wp-json/wp/v2/users/%d", own.ID)
	for what, answer := range map[string]wpAnswer{
		"her password, by REST":                  lea.ask(t, http.MethodPost, "/wp-json/wp/v2/users/me", `{"password":"`+password+`"}`),
		"her password, by another administrator": local.ask(t, http.MethodPost, users, `{"password":"`+password+`"}`),
		"a key":                                  lea.ask(t, http.MethodPost, "/wp-json/wp/v2/users/me/application-passwords", `{"name":"x"}`),
		"a key, of another's making":             local.ask(t, http.MethodPost, users+"/application-passwords", `{"name":"x"}`),
	} {
		if answer.status < 400 {
			t.Errorf("%s: answers %d", what, answer.status)
		}
	}
	profile := lea.ask(t, http.MethodGet, "/wp-admin/profile.php", "").body
	_, rest, _ := strings.Cut(profile, `name="_wpnonce" value="`)
	nonce, _, _ := strings.Cut(rest, `"`)
	lea.ask(t, http.MethodPost, "/wp-admin/profile.php", url.Values{
		"_wpnonce": {nonce}, "action": {"update"}, "user_id": {fmt.Sprint(own.ID)}, "checkuser_id": {fmt.Sprint(own.ID)}, "nickname": {"Léa"}, "email": {"lea@lilas.example"},
		"pass1": {password}, "pass2": {password},
	}.Encode())
	if in := i.withPassword(t, s, own.Login, password); in.manages(t) {
		t.Error("the password given by a form lets in")
	}
	// What a plugin does: it passes over forms and rights.
	forced := strings.Split(i.wp(t, s.ID, fmt.Sprintf(`
		wp_set_password("%[2]s", %[1]d);
		[$key] = WP_Application_Passwords::create_new_application_password(%[1]d, ["name" => "x"]);
		$until = time() + 3600; $token = WP_Session_Tokens::get_instance(%[1]d)->create($until);
		echo $key, "~", wp_generate_auth_cookie(%[1]d, $until, "secure_auth", $token), "~", wp_generate_auth_cookie(%[1]d, $until, "logged_in", $token), "~", COOKIEHASH, "~";
		echo is_wp_error(get_password_reset_key(get_userdata(%[1]d))) ? "none" : "a key";`, own.ID, password)), "~")
	if len(forced) != 5 || forced[4] != "none" {
		t.Fatalf("the site says %q", forced)
	}
	stolen := wpUser{instance: i, site: s, cookies: []*http.Cookie{
		{Name: "wordpress_sec_" + forced[3], Value: url.QueryEscape(forced[1])}, {Name: "wordpress_logged_in_" + forced[3], Value: url.QueryEscape(forced[2])},
	}}
	for what, u := range map[string]wpUser{
		"a password":           i.withPassword(t, s, own.Login, password),
		"a password, by mail":  i.withPassword(t, s, "lea@lilas.example", password),
		"a session of no mark": stolen,
		"a key":                {instance: i, site: s, basic: [2]string{own.Login, forced[0]}},
	} {
		if u.manages(t) || u.roles(t) != "" {
			t.Errorf("%s lets into her account", what)
		}
	}
	if !i.arrivesAt(t, s, person).manages(t) {
		t.Error("she herself does not get in any more")
	}
}

func TestNamesOfAnyLengthAndScriptGetIn(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	for name, want := range map[string]string{
		strings.Repeat("é", 255):  strings.Repeat("é", 250),
		strings.Repeat("Щ", 255):  strings.Repeat("Щ", 250),
		strings.Repeat("a", 251):  strings.Repeat("a", 250),
		"李明 " + "🐈":               "李明 🐈",
		strings.Repeat("😀", 255):  strings.Repeat("😀", 250),
		strings.Repeat("<&>", 85): strings.Repeat("<&>", 83) + "<",
		" ":                       "",
	} {
		subject := "n" + random()
		address := strings.Repeat("a", 60) + "@" + strings.Repeat("b.", 25) + random() + ".example" // longer than WordPress stores
		u := i.arrivesAt(t, s, func(e *assertion.Entry) { e.Subject, e.Name, e.Email = subject, name, address })
		if !u.manages(t) {
			t.Errorf("%.20q (%d letters) is not in", name, len([]rune(name)))
		}
		if got := i.accountOf(t, s.ID, subject); want != "" && got.Name != want && !strings.HasPrefix(name, "<") {
			t.Errorf("%.20q is called %.20q (%d letters)", name, got.Name, len([]rune(got.Name)))
		}
	}
}

func TestNameAndAddressFollowThePersonAndAnAddressHasOneOwner(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	enter := func(subject, name, address string) wpAccount {
		t.Helper()
		i.arrivesAt(t, s, func(e *assertion.Entry) { e.Subject, e.Name, e.Email = subject, name, address })
		return i.accountOf(t, s.ID, subject)
	}
	lea := enter("lea", "Léa Martin", "contact@lilas.example")
	if got := enter("lea", "Léa Durand", ""); got.ID != lea.ID || got.Name != "Léa Durand" || got.Email != "contact@lilas.example" {
		t.Errorf("with another name, and no address that counts: %+v", got)
	}
	// Her address is now his: hers at the site must not go on receiving what is meant for her.
	if got := enter("zoe", "Zoé", "contact@lilas.example"); got.ID == lea.ID || got.Email != "contact@lilas.example" {
		t.Errorf("the new owner of the address has %+v", got)
	}
	if got := i.accountOf(t, s.ID, "lea"); got.Email != "" {
		t.Errorf("she still has the address that is his: %+v", got)
	}
	if got := enter("lea", "Léa Durand", "lea@lilas.example"); got.ID != lea.ID || got.Email != "lea@lilas.example" {
		t.Errorf("with her new address she has %+v", got)
	}
	// The same id at another issuer is somebody else; the one who brings the old identity along is not.
	other := func(e *assertion.Entry) { e.Issuer, e.Subject, e.Email = "https://ailleurs.example", "lea", "" }
	i.arrivesAt(t, s, other)
	if n := i.wp(t, s.ID, `echo count(get_users(["meta_key" => "chatiere_subject", "meta_value" => "lea"]));`); n != "2" {
		t.Errorf("%s accounts for one id at two issuers, want 2", n)
	}
	i.arrivesAt(t, s, func(e *assertion.Entry) {
		e.Issuer, e.Subject, e.Email = "https://ailleurs.example", "l2", ""
		e.Former = []assertion.Identity{{Issuer: i.config.Identity.Issuer, Subject: "lea"}}
	})
	if got := i.accountOf(t, s.ID, "l2"); got.ID != lea.ID {
		t.Errorf("after the realm was exchanged she has %+v, want account %d", got, lea.ID)
	}
}

// An old account comes to its person by its own password; every other key to it dies with that.
func TestAnOldAccountIsClaimedByItsPasswordAndItsKeysDie(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	const address = "ancienne@lilas.example"
	password, application := i.plant(t, s, "ancienne", address, "editor")
	old := i.withPassword(t, s, "ancienne", password)
	key := i.wp(t, s.ID, `echo get_password_reset_key(get_user_by("login", "ancienne"));`)
	subject, _ := i.newManager(t)
	lea := i.arrivesAt(t, s, func(e *assertion.Entry) { e.Subject, e.Email = subject, address })
	const page = "/wp-admin/users.php?page=chatiere-claim"
	form := lea.ask(t, http.MethodGet, page, "")
	if !strings.Contains(form.body, "ancienne") {
		t.Errorf("the page does not name the account with her address: %d", form.status)
	}
	_, rest, _ := strings.Cut(form.body, `name="_wpnonce" value="`)
	nonce, _, _ := strings.Cut(rest, `"`)
	claim := func(password string) wpAnswer {
		return lea.ask(t, http.MethodPost, page, url.Values{"_wpnonce": {nonce}, "login": {"ancienne"}, "password": {password}}.Encode())
	}
	if got := claim("faux"); got.status != http.StatusOK || i.accountOf(t, s.ID, subject).Login == "ancienne" {
		t.Errorf("a wrong password answers %d", got.status)
	}
	answer := claim(password)
	if answer.status != http.StatusFound || len(answer.cookies) == 0 {
		t.Fatalf("the right password answers %d: %.300s", answer.status, answer.body)
	}
	if got := i.accountOf(t, s.ID, subject); got.Login != "ancienne" || got.Roles != "administrator" || got.Email != address {
		t.Errorf("she has %+v", got)
	}
	if lea.cookies = answer.cookies; !lea.manages(t) {
		t.Error("she is not in as the old account")
	}
	for what, u := range map[string]wpUser{
		"its session": old, "its password": i.withPassword(t, s, "ancienne", password),
		"its key": {instance: i, site: s, basic: [2]string{"ancienne", application}},
	} {
		if u.manages(t) || u.roles(t) != "" {
			t.Errorf("%s still lets in", what)
		}
	}
	if got := i.wp(t, s.ID, `echo is_wp_error(check_password_reset_key("`+key+`", "ancienne")) ? "dead" : "good";`); got != "dead" {
		t.Errorf("its reset key is %s", got)
	}
}

// What a right opened closes with it, and the co-op sees what does not.
func TestTheEndOfARightEndsSessionsInsideASiteAndTellsWhatIsLeft(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	subject, _ := i.newManager(t)
	lea := i.arrivesAt(t, s, func(e *assertion.Entry) { e.Subject, e.Email = subject, "" })
	made := lea.ask(t, http.MethodPost, "/wp-json/wp/v2/users", `{"username":"derriere","email":"derriere@lilas.example","password":"Porte-de-derriere-1","roles":["administrator"]}`)
	if made.status != http.StatusCreated {
		t.Fatalf("making an administrator answers %d: %.300s", made.status, made.body)
	}
	list := func() string {
		text, err := os.ReadFile(filepath.Join(i.config.Paths().SiteSecrets(s.ID), "people.json"))
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	eventually(t, patience, "the site is told of her right", func() (bool, string) { text := list(); return strings.Contains(text, subject), text })
	for _, end := range []struct {
		what string
		do   func()
	}{
		{"the co-op ends her sessions", func() { i.sql(t, "UPDATE people SET signed_out_at = UTC_TIMESTAMP(6) WHERE subject = '"+subject+"'") }},
		{"she is no manager any more", func() { i.noManager(t, subject) }},
	} {
		lea = i.arrivesAt(t, s, func(e *assertion.Entry) { e.Subject, e.Email = subject, "" })
		if !lea.manages(t) {
			t.Fatalf("before %s she is not in", end.what)
		}
		end.do()
		eventually(t, 2*time.Minute, end.what, func() (bool, string) { return !lea.manages(t) && lea.roles(t) == "", "still in" })
	}
	eventually(t, 2*time.Minute, "the co-op knows what she left", func() (bool, string) {
		rows := i.sql(t, "SELECT login, local, administrator FROM site_accounts WHERE subject = '"+subject+"' ORDER BY local")
		return strings.Contains(rows, "derriere\t1\t1") && strings.Count(rows, "\n") == 1, rows
	})
}

// newManager is somebody in Keycloak, and in the records, who manages the demo's association, until the test ends.
func (i *instance) newManager(t *testing.T) (subject string, p demo.Person) {
	t.Helper()
	kc, _ := i.realm(t)
	name, password := "e2e-"+random(), "Long-"+random()
	u, err := kc.EnsureUser(t.Context(), keycloak.Account{
		Username: name, Email: name + "@lilas.example", FirstName: "Léa", LastName: "d’Arc", Password: keycloak.Secret(password), Operation: "e2e",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kc.DeleteUser(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
	group, err := kc.GroupByPath(t.Context(), "/assos/"+i.summary.Association+"/gestion")
	if err != nil {
		t.Fatal(err)
	}
	if err := kc.AddMember(t.Context(), u.ID, group.ID); err != nil {
		t.Fatal(err)
	}
	// As her sign-in would note it; the worker's next reading of the directory says the same.
	i.sql(t, "INSERT INTO people (subject, username, name, email, coop_admin, seen_at) VALUES ('"+u.ID+"', '"+name+"', 'Léa d’Arc', '', FALSE, UTC_TIMESTAMP(6))"+
		" ON DUPLICATE KEY UPDATE seen_at = seen_at")
	i.sql(t, "INSERT IGNORE INTO association_members (association_id, subject, role) SELECT id, '"+u.ID+"', 'manager' FROM associations WHERE slug = '"+i.summary.Association+"'")
	return u.ID, demo.Person{Username: name, Password: password}
}

// noManager takes the right away, in Keycloak and, as the worker's next reading would, in the records.
func (i *instance) noManager(t *testing.T, subject string) {
	t.Helper()
	kc, _ := i.realm(t)
	group, err := kc.GroupByPath(t.Context(), "/assos/"+i.summary.Association+"/gestion")
	if err != nil {
		t.Fatal(err)
	}
	if err := kc.RemoveMember(t.Context(), subject, group.ID); err != nil {
		t.Fatal(err)
	}
	i.sql(t, "DELETE FROM association_members WHERE subject = '"+subject+"'")
}

// A subscriber takes a manager's address before she ever came, and waits in another browser.
func TestInTheBrowserASubscriberWithAManagersAddressGainsNothing(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	password, _ := i.plant(t, s, "guetteur", "guetteur@lilas.example", "subscriber")
	evil, manager := i.browse(t), i.browse(t)
	evil.do("signing in", chromedp.Navigate(at(s.URL)+"/wp-login.php"), css(`#user_login`), chromedp.SetValue(chromedp.CSS(`#user_login`), "guetteur"),
		chromedp.SetValue(chromedp.CSS(`#user_pass`), password), chromedp.Click(chromedp.CSS(`#wp-submit`)), css(`#wpadminbar`))
	took := ask(evil, "taking her address", chromedp.Evaluate[int](fmt.Sprintf(`fetch("/wp-admin/admin-ajax.php?action=rest-nonce").then(r => r.text())
		.then(n => fetch("/wp-json/wp/v2/users/me", {method: "POST", headers: {"X-WP-Nonce": n, "Content-Type": "application/json"}, body: JSON.stringify({email: %q})})).then(r => r.status)`,
		i.managersAddress(t)), chromedp.EvalAwaitPromise))
	if took != http.StatusOK {
		t.Fatalf("WordPress refuses to give the subscriber the address: %d", took)
	}
	manager.signIn(i.summary.Manager)
	manager.entersSite(s)
	if greeting := manager.text(`#wp-admin-bar-my-account .display-name`); greeting != "Maud Gestion" {
		t.Errorf("WordPress greets %q", greeting)
	}
	manager.do("reading that the address is taken", css(`.chatiere-address`))
	manager.capture("wordpress-address-taken")
	status := ask(evil, "looking at the accounts", chromedp.Evaluate[int](`fetch("/wp-admin/users.php").then(r => r.status)`, chromedp.EvalAwaitPromise))
	if status != http.StatusForbidden {
		t.Errorf("the subscriber gets %d from the list of accounts", status)
	}
	if got := i.wp(t, s.ID, `echo implode(",", get_user_by("login", "guetteur")->roles), " ", get_user_meta(get_user_by("login", "guetteur")->ID, "chatiere_subject", true);`); got != "subscriber" {
		t.Errorf("the subscriber is %q", got)
	}
}

// managersAddress is what Keycloak knows of the demo's manager.
func (i *instance) managersAddress(t *testing.T) string {
	t.Helper()
	kc, _ := i.realm(t)
	u, err := kc.FindUser(t.Context(), i.summary.Manager.Username)
	if err != nil || u.Email == "" {
		t.Fatalf("the manager has no address: %v", err)
	}
	return u.Email
}

// Keycloak lets people write any address into their account; from then on nobody vouches for it.
func TestAnAddressThatSomebodyChangesThemselvesIsNotVerifiedAnyMore(t *testing.T) {
	i := open(t)
	kc, _ := i.realm(t)
	_, p := i.newManager(t)
	before, err := kc.FindUser(t.Context(), p.Username)
	if err != nil || !before.Verified {
		t.Fatalf("who was made by the co-op has an address that is not verified: %+v (%v)", before, err)
	}
	c := i.call(t, p)
	realm, verifier := i.config.Identity.Issuer, strings.Repeat(random(), 4)
	digest := sha256.Sum256([]byte(verifier))
	back := realm + "/account/"
	c.web.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Query().Has("code") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	res, err := c.web.Get(realm + "/protocol/openid-connect/auth?" + url.Values{
		"client_id": {"account-console"}, "redirect_uri": {back}, "response_type": {"code"}, "scope": {"openid"}, "state": {"x"},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])},
	}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	to, err := res.Location()
	if err != nil {
		t.Fatalf("asking for the account page answers %s: %v", res.Status, err)
	}
	code := to.Query().Get("code")
	if fragment, err := url.ParseQuery(to.Fragment); code == "" && err == nil {
		code = fragment.Get("code")
	}
	res, err = c.web.PostForm(realm+"/protocol/openid-connect/token", url.Values{
		"client_id": {"account-console"}, "redirect_uri": {back}, "grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&token); err != nil || token.Access == "" {
		t.Fatalf("the token answers %s (%v)", res.Status, err)
	}
	body, err := json.Marshal(map[string]string{"username": before.Username, "email": "somebody-" + random() + "@lilas.example", "firstName": "Léa", "lastName": "d’Arc"})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, realm+"/account/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Access)
	req.Header.Set("Content-Type", "application/json")
	changed, err := c.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer changed.Body.Close()
	if text, _ := io.ReadAll(changed.Body); changed.StatusCode >= 300 {
		t.Fatalf("changing the address answers %s: %.300s", changed.Status, text)
	}
	after, err := kc.FindUser(t.Context(), p.Username)
	if err != nil || after.Email == before.Email || after.Verified {
		t.Errorf("after the change: %+v (%v), want another address that is not verified", after, err)
	}
}
