package apiclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"chatiere/cmd/internal/apiclient"
	"chatiere/panel/api"
)

// answering returns a client of a panel that gives every request the same answer.
func answering(t *testing.T, status int, contentType, body string) *apiclient.Client {
	t.Helper()
	socket := filepath.Join(place(t), "panel.sock")
	listen(t, socket, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	return apiclient.OverSocket(socket)
}

func TestAnErrorComesWithItsCodeAndItsFaults(t *testing.T) {
	want := api.Error{
		Code: api.CodeInvalid, Message: "Something is missing.", RequestID: "r1",
		Faults: []api.Fault{{Field: "host", Code: "taken", Proposal: "amap-2.lilas.example"}},
	}
	body, err := json.Marshal(api.Envelope{Error: want})
	if err != nil {
		t.Fatal(err)
	}
	c := answering(t, http.StatusUnprocessableEntity, "application/json", string(body))
	var got *api.Error
	if err := c.Post(t.Context(), api.PathSites, api.NewSite{}, "", nil); !errors.As(err, &got) || !reflect.DeepEqual(*got, want) {
		t.Errorf("got %#v", err)
	}
}

func TestAnAnswerFromBetweenStandsForWhatItMeans(t *testing.T) {
	for status, code := range map[int]api.Code{
		http.StatusBadGateway: api.CodeUnavailable, http.StatusServiceUnavailable: api.CodeUnavailable, http.StatusGatewayTimeout: api.CodeUnavailable,
		http.StatusNotFound: api.CodeNotFound, http.StatusInternalServerError: api.CodeInternal, http.StatusTeapot: api.CodeInternal,
	} {
		for _, body := range []string{"<h1>Un instant</h1>", `{"error":"not ours"}`, `{}`, ""} {
			var got *api.Error
			err := answering(t, status, "text/html", body).Get(t.Context(), api.PathSites, nil)
			if !errors.As(err, &got) || got.Code != code || !strings.Contains(got.Message, http.StatusText(status)) {
				t.Errorf("%d with %q: got %#v, want %s", status, body, err, code)
			}
		}
	}
}

func TestASuccessThatIsNotJSONIsAnErrorOfItsOwn(t *testing.T) {
	var into api.Site
	err := answering(t, http.StatusOK, "text/html", "<h1>Welcome to the café</h1>").Get(t.Context(), api.PathSites, &into)
	var told *api.Error
	if err == nil || errors.As(err, &told) || !strings.Contains(err.Error(), "decoding") {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerWithoutBodyIsASuccess(t *testing.T) {
	var into api.Site
	c := answering(t, http.StatusNoContent, "", "")
	if err := errors.Join(c.Delete(t.Context(), api.Item(api.PathTokens, "t1")), c.Get(t.Context(), api.PathSites, &into)); err != nil {
		t.Error(err)
	}
}

// request is what a panel gets to see of one.
type request struct {
	Method, URI, Body string
	Header            http.Header
}

func recording(t *testing.T) (*apiclient.Client, *[]request) {
	t.Helper()
	socket := filepath.Join(place(t), "panel.sock")
	var seen []request
	listen(t, socket, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		seen = append(seen, request{r.Method, r.RequestURI, string(body), r.Header})
		_, _ = io.WriteString(w, `{"id":"01OP"}`)
	}))
	return apiclient.OverSocket(socket), &seen
}

func TestAWishCarriesItsKeyAndItsForm(t *testing.T) {
	c, seen := recording(t)
	var op api.Operation
	if err := c.Post(t.Context(), api.PathSites, api.NewSite{Name: "Amap", Host: "amap"}, "autumn", &op); err != nil || op.ID != "01OP" {
		t.Fatalf("got %+v, %v", op, err)
	}
	got := (*seen)[0]
	if got.Method != http.MethodPost || got.URI != "/api/v1/sites" || !strings.Contains(got.Body, `"host":"amap"`) {
		t.Errorf("got %+v", got)
	}
	for name, want := range map[string]string{
		api.HeaderIdempotency: "autumn", "Content-Type": "application/json", "Accept": "application/json", "Authorization": "",
	} {
		if h := got.Header.Get(name); h != want {
			t.Errorf("%s is %q, want %q", name, h, want)
		}
	}
}

func TestARequestWithoutBodyOrKeySaysNothingOfThem(t *testing.T) {
	c, seen := recording(t)
	err := errors.Join(
		c.Get(t.Context(), api.Item(api.PathOperations, "01OP")+"?wait=30s", nil),
		c.Post(t.Context(), api.Item(api.PathSites, "s1", "suspend"), nil, "", nil),
		c.Delete(t.Context(), api.Item(api.PathTokens, "a/b")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"GET /api/v1/operations/01OP?wait=30s", "POST /api/v1/sites/s1/suspend", "DELETE /api/v1/tokens/a%2Fb"}
	for i, got := range *seen {
		if got.Method+" "+got.URI != want[i] || got.Body != "" {
			t.Errorf("got %+v, want %s", got, want[i])
		}
		for _, name := range []string{api.HeaderIdempotency, "Content-Type"} {
			if _, sent := got.Header[name]; sent {
				t.Errorf("%s carries %s", want[i], name)
			}
		}
	}
}

func TestOverHTTPSATokenIsShownToTheRightPanelAlone(t *testing.T) {
	address, ca := public(t, named("public"))
	c, err := apiclient.OverHTTPS(address+"/", "cht_secret", ca)
	if err != nil {
		t.Fatal(err)
	}
	if got := asked(t, c); got.Name != "public" || got.ID != "Bearer cht_secret" || got.Kind != "/api/v1/account" {
		t.Errorf("got %+v", got)
	}
	_, foreign := public(t, named("other"))
	if c, err = apiclient.OverHTTPS(address, "cht_secret", foreign); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), api.PathAccount, nil); !errors.Is(err, apiclient.ErrNoPanel) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a panel with a foreign certificate: %v", err)
	}
}

func TestAnAddressThatCannotServeIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ address, ca string }{
		"plain http":          {"http://panel.lilas.example", ""},
		"no scheme":           {"panel.lilas.example", ""},
		"no host":             {"https://", ""},
		"no address":          {"https://panel.lilas.example:what", ""},
		"absent authority":    {"https://panel.lilas.example", filepath.Join(dir, "absent.pem")},
		"empty authority":     {"https://panel.lilas.example", write(t, filepath.Join(dir, "empty.pem"), "")},
		"something else's CA": {"https://panel.lilas.example", write(t, filepath.Join(dir, "key.pem"), "hello")},
	} {
		if _, err := apiclient.OverHTTPS(c.address, "t", c.ca); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestAPanelThatIsGoneIsSaidToBe(t *testing.T) {
	socket := filepath.Join(place(t), "panel.sock")
	if err := apiclient.OverSocket(socket).Get(t.Context(), api.PathSites, nil); !errors.Is(err, apiclient.ErrNoPanel) {
		t.Errorf("no socket: %v", err)
	}
	left(t, socket)
	if err := apiclient.OverSocket(socket).Get(t.Context(), api.PathSites, nil); !errors.Is(err, apiclient.ErrNoPanel) {
		t.Errorf("a socket left over: %v", err)
	}
}

func TestLeavingIsNotBlamedOnThePanel(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	socket := filepath.Join(place(t), "panel.sock")
	listen(t, socket, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
	}))
	err := apiclient.OverSocket(socket).Get(ctx, api.PathOperations, nil)
	if errors.Is(err, apiclient.ErrNoPanel) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
