package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatiere/cmd/internal/config"
	"chatiere/panel/api"
	"chatiere/tenants/audit"
)

// workerSays starts a worker's socket beside the panel's and returns the latter; what was posted comes by the channel.
func workerSays(t *testing.T, status int, body string) (panel string, posted chan string) {
	t.Helper()
	paths := config.PathsBelow(shortDir(t))
	for _, dir := range []string{filepath.Dir(paths.WorkerSocket()), filepath.Dir(paths.CLISocket())} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", paths.WorkerSocket())
	if err != nil {
		t.Fatal(err)
	}
	posted = make(chan string, 9)
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		posted <- r.Method + " " + r.URL.Path + " " + string(text)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})}}
	s.Start()
	t.Cleanup(s.Close)
	return paths.CLISocket(), posted
}

func verifying(t *testing.T, env []string, args ...string) (int, string, string) {
	t.Helper()
	var out, complaint strings.Builder
	code := run(t.Context(), append([]string{"audit", "verify"}, args...), env, strings.NewReader("2026-11-21 7 9 "+strings.Repeat("ab", 32)+"\n"), &out, &complaint)
	return code, out.String(), complaint.String()
}

func TestVerifyAsksTheWorkerAndNotThePanel(t *testing.T) {
	panel, posted := workerSays(t, 200, `{"rows":12,"heads":2,"faults":[]}`)
	code, out, complaint := verifying(t, []string{"CHATIERE_SOCKET=" + panel}, "--heads", "-")
	if code != api.ExitOK || !strings.HasPrefix(out, "whole: 12 rows") || complaint != "" {
		t.Errorf("ended with %d: %s%s", code, out, complaint)
	}
	if got := <-posted; !strings.HasPrefix(got, "POST /audit/verify 2026-11-21 7 9 abab") {
		t.Errorf("asked %q", got)
	}
}

func TestVerifyNamesTheFirstRowAndFails(t *testing.T) {
	for kind, words := range map[audit.Kind]string{
		audit.Changed: "row 42 of 2026-11-22", audit.Removed: "row 42 was removed", audit.Cut: "after row 42", audit.Rewritten: "made anew: row 42",
		audit.Inserted: "row 42, which says", audit.Beginning: "up to row 42",
	} {
		body := `{"rows":12,"faults":[{"kind":"` + string(kind) + `","seq":40,"id":42,"at":"2026-11-22T12:00:00Z"},{"kind":"changed","seq":50,"id":52,"at":"2026-11-22T12:00:00Z"}]}`
		panel, _ := workerSays(t, 200, body)
		code, out, _ := verifying(t, []string{"CHATIERE_SOCKET=" + panel})
		if first, _, _ := strings.Cut(out, "\n"); code != api.ExitFailed || !strings.Contains(first, words) {
			t.Errorf("%s ended with %d: %s", kind, code, out)
		}
		code, out, _ = verifying(t, []string{"CHATIERE_SOCKET=" + panel}, "--json")
		if code != api.ExitFailed || !strings.Contains(out, `"id": 42`) {
			t.Errorf("%s in JSON ended with %d: %s", kind, code, out)
		}
	}
}

func TestVerifyIsRootsOnTheServer(t *testing.T) {
	if code, _, complaint := verifying(t, []string{"CHATIERE_URL=https://panel.lilas.example"}); code != api.ExitFailed || !strings.Contains(complaint, "on the server") {
		t.Errorf("from elsewhere: %d %s", code, complaint)
	}
	if code, _, _ := verifying(t, []string{"CHATIERE_SOCKET=" + filepath.Join(shortDir(t), "run", "cli", "panel.sock")}); code != api.ExitUnavailable {
		t.Errorf("without a worker: %d", code)
	}
	panel, _ := workerSays(t, 422, "line 1: not a file of heads")
	if code, _, complaint := verifying(t, []string{"CHATIERE_SOCKET=" + panel}, "--heads", "-"); code != api.ExitFailed || !strings.Contains(complaint, "line 1") {
		t.Errorf("with bad heads: %d %s", code, complaint)
	}
}

func TestVerifyTellsWhatWaitsAndThatThereIsMore(t *testing.T) {
	for body, want := range map[string]map[string]bool{
		`{"rows":12,"heads":2,"faults":[],"waiting":3}`:                                                {"3 rows wait": true, "… and more": false, "last seal": false},
		`{"rows":12,"heads":2,"faults":[]}`:                                                            {"wait": false},
		`{"rows":12,"faults":[{"kind":"changed","id":42,"at":"2026-11-22T12:00:00Z"}],"cropped":true}`: {"… and more": true, "whole": false},
	} {
		panel, _ := workerSays(t, 200, body)
		_, out, _ := verifying(t, []string{"CHATIERE_SOCKET=" + panel})
		for words, said := range want {
			if strings.Contains(out, words) != said {
				t.Errorf("%s is told as %q", body, out)
			}
		}
	}
}
