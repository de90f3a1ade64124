package keycloak_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"chatiere/tenants/keycloak"
	"chatiere/tenants/keycloak/keycloaktest"
)

func fakeClient(t *testing.T, fake *keycloaktest.Fake, instance string) *keycloak.Client {
	t.Helper()
	client, err := keycloak.New(keycloak.Options{
		Issuer: fake.Issuer(), ClientID: keycloaktest.ClientID, Secret: keycloaktest.Secret, Instance: instance,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestTheStandInFulfilsTheContract(t *testing.T) {
	fake := keycloaktest.NewFake(t)
	fake.EscapeSlashes = true
	keycloaktest.Suite(t, func(t *testing.T, instance string) *keycloak.Client { return fakeClient(t, fake, instance) })
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := keycloak.Options{Issuer: "https://id.lilas.example/realms/lilas", ClientID: "c", Secret: "s", Instance: "i"}
	for name, spoil := range map[string]func(*keycloak.Options){
		"no issuer": func(o *keycloak.Options) { o.Issuer = "" }, "no realm": func(o *keycloak.Options) { o.Issuer = "https://id.lilas.example" },
		"no host": func(o *keycloak.Options) { o.Issuer = "/realms/lilas" }, "no client": func(o *keycloak.Options) { o.ClientID = "" },
		"no secret": func(o *keycloak.Options) { o.Secret = "" }, "no instance": func(o *keycloak.Options) { o.Instance = "" },
	} {
		options := good
		spoil(&options)
		if _, err := keycloak.New(options); !errors.Is(err, keycloak.ErrInvalid) {
			t.Errorf("%s: error is %v, want %v", name, err, keycloak.ErrInvalid)
		}
	}
}

func TestARevokedTokenIsReplacedOnce(t *testing.T) {
	fake := keycloaktest.NewFake(t)
	client := fakeClient(t, fake, "test")
	if _, err := client.EnsureAssociation(t.Context(), "amap-du-puy", "01TEST"); err != nil {
		t.Fatal(err)
	}
	fake.RevokeTokens()
	if _, ok, err := client.AssociationExists(t.Context(), "amap-du-puy"); err != nil || !ok {
		t.Errorf("after the tokens were revoked: exists %v, error %v", ok, err)
	}
}

func TestFaultsAndSilenceAreUnreachable(t *testing.T) {
	fake := keycloaktest.NewFake(t)
	client := fakeClient(t, fake, "test")
	fake.BreakAfter(0)
	if _, err := client.GroupByPath(t.Context(), "/assos"); !errors.Is(err, keycloak.ErrUnreachable) {
		t.Errorf("a fault of the server: %v", err)
	}
	fake.BreakAfter(-1)
	fake.Stop()
	if err := client.Ping(t.Context()); !errors.Is(err, keycloak.ErrUnreachable) {
		t.Errorf("a server that is gone: %v", err)
	}
	fresh := fakeClient(t, fake, "test")
	if _, err := fresh.GroupByPath(t.Context(), "/assos"); !errors.Is(err, keycloak.ErrUnreachable) {
		t.Errorf("no token to be had: %v", err)
	}
}

func TestPingSaysWhatIsWrong(t *testing.T) {
	fake := keycloaktest.NewFake(t)
	for name, test := range map[string]struct {
		issuer string
		secret keycloak.Secret
		want   error
	}{
		"wrong secret": {fake.Issuer(), "wrong", keycloak.ErrRefused},
		"wrong name":   {strings.Replace(fake.Issuer(), "127.0.0.1", "localhost", 1), keycloaktest.Secret, keycloak.ErrIssuer},
		"wrong realm":  {fake.Issuer() + "s", keycloaktest.Secret, keycloak.ErrNotFound},
	} {
		client, err := keycloak.New(keycloak.Options{Issuer: test.issuer, ClientID: keycloaktest.ClientID, Secret: test.secret, Instance: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Ping(t.Context()); !errors.Is(err, test.want) {
			t.Errorf("%s: error is %v, want %v", name, err, test.want)
		}
	}
}

func TestEveryCrashOfEnsureRealmIsMadeGoodByARepetition(t *testing.T) {
	for allowed := 0; ; allowed++ {
		fake := keycloaktest.NewFake(t)
		client := fakeClient(t, fake, "test")
		fake.BreakAfter(allowed)
		_, err := client.EnsureRealm(t.Context(), keycloaktest.Wanted(keycloaktest.PanelURL))
		fake.BreakAfter(-1)
		if _, again := client.EnsureRealm(t.Context(), keycloaktest.Wanted(keycloaktest.PanelURL)); again != nil {
			t.Fatalf("cut off after %d requests, the repetition fails: %v", allowed, again)
		}
		report, again := client.EnsureRealm(t.Context(), keycloaktest.Wanted(keycloaktest.PanelURL))
		if again != nil || len(report.Changed) > 0 {
			t.Fatalf("cut off after %d requests, the third time: %q, %v", allowed, report.Changed, again)
		}
		if err == nil {
			if allowed < 20 {
				t.Fatalf("it needed only %d requests", allowed)
			}
			return
		}
	}
}

func TestSecretsDoNotPrintThemselves(t *testing.T) {
	options := keycloak.Options{Secret: "hunter2hunter2"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if printed := fmt.Sprintf(format, options); strings.Contains(printed, "hunter2") {
			t.Errorf("%s prints %s", format, printed)
		}
	}
}

func TestTheSocketTransportSpeaksForThePublicAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan *http.Request, 1)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r })}}
	server.Start()
	t.Cleanup(server.Close)

	client := &http.Client{Transport: keycloak.Socket(path)}
	response, err := client.Get("https://id.lilas.example:8443/realms/lilas")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	request := <-seen
	if request.Host != "id.lilas.example:8443" || request.Header.Get("X-Forwarded-Proto") != "https" || request.URL.Path != "/realms/lilas" {
		t.Errorf("host %q, headers %v", request.Host, request.Header)
	}
}
