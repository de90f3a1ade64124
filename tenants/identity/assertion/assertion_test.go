package assertion_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"chatiere/tenants/identity/assertion"
)

const secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func issuer(t *testing.T) *assertion.Issuer {
	t.Helper()
	i, err := assertion.New("https://panel.lilas.example", secret, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	return i
}

var lea = assertion.Entry{
	SiteID: "s7k2m9qx4p", Host: "demo.lilas.example", Issuer: "https://id.lilas.example/realms/lilas", Subject: "8f2c", Name: "Léa Martin", Email: "lea@lilas.example", Role: assertion.Administrator,
}

func enter(t *testing.T, i *assertion.Issuer) string {
	t.Helper()
	token, err := i.Enter(lea)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// read checks the signature with nothing but what a site is given, as a site does, and returns header and claims.
func read(t *testing.T, i *assertion.Issuer, token string) (header, claims map[string]any) {
	t.Helper()
	public, err := i.Public()
	if err != nil {
		t.Fatal(err)
	}
	var known struct {
		Issuer string
		Keys   map[string]string
	}
	decode(t, string(public), &known)
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want 3", len(parts))
	}
	decode(t, bytesOf(t, parts[0]), &header)
	decode(t, bytesOf(t, parts[1]), &claims)
	key := bytesOf(t, known.Keys[header["kid"].(string)])
	if !ed25519.Verify(ed25519.PublicKey(key), []byte(parts[0]+"."+parts[1]), []byte(bytesOf(t, parts[2]))) {
		t.Error("the signature is not of the key that sites are given")
	}
	if claims["iss"] != known.Issuer {
		t.Errorf("issued by %v, sites expect %v", claims["iss"], known.Issuer)
	}
	return header, claims
}

func bytesOf(t *testing.T, text string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
}

func TestAnAssertionSaysWhoEntersWhatAndUntilWhen(t *testing.T) {
	header, claims := read(t, issuer(t), enter(t, issuer(t)))
	if header["alg"] != "EdDSA" || header["typ"] != "chatiere-entry+jwt" {
		t.Errorf("header %v", header)
	}
	for name, want := range map[string]any{
		"iss": "https://panel.lilas.example", "aud": "s7k2m9qx4p@demo.lilas.example", "sub": "8f2c", "sub_iss": "https://id.lilas.example/realms/lilas", "name": "Léa Martin", "verified_email": "lea@lilas.example", "email": nil,
		"role": "administrator", "iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 60),
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
}

func TestNoTwoAssertionsHaveTheSameID(t *testing.T) {
	i, seen := issuer(t), map[any]bool{}
	for range 100 {
		_, claims := read(t, i, enter(t, i))
		if seen[claims["jti"]] || len(claims["jti"].(string)) < 20 {
			t.Fatalf("id %v", claims["jti"])
		}
		seen[claims["jti"]] = true
	}
}

func TestThePublicHalfDoesNotTellTheSecret(t *testing.T) {
	public, err := issuer(t).Public()
	if err != nil || strings.Contains(string(public), secret) {
		t.Errorf("%s (%v)", public, err)
	}
}

func TestASecretThatIsNoKeyIsRefused(t *testing.T) {
	for _, bad := range []string{"", "short", secret + "AA", "!" + secret[1:]} {
		if _, err := assertion.New("https://panel.lilas.example", bad, time.Now); !errors.Is(err, assertion.ErrKey) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAnAssertionWithoutPersonSiteOrRoleIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*assertion.Entry){
		"site": func(e *assertion.Entry) { e.SiteID = "" }, "host": func(e *assertion.Entry) { e.Host = "" },
		"issuer": func(e *assertion.Entry) { e.Issuer = "" }, "subject": func(e *assertion.Entry) { e.Subject = "" }, "role": func(e *assertion.Entry) { e.Role = "" },
	} {
		e := lea
		spoil(&e)
		if _, err := issuer(t).Enter(e); !errors.Is(err, assertion.ErrIncomplete) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
