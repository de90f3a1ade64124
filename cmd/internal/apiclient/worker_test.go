package apiclient_test

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
)

// verifier is a worker that answers the verification of the audit log.
func verifier(status int, answer string, heads *string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*heads = r.Method + " " + r.URL.Path + " " + string(body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	})
}

func TestTheWorkerIsFoundBesideItsPanel(t *testing.T) {
	dir := place(t)
	root := filepath.Join(dir, "root-1")
	paths := config.PathsBelow(root)
	var heads string
	listen(t, paths.WorkerSocket(), verifier(http.StatusOK, `{"rows":7}`, &heads))
	listen(t, paths.CLISocket(), named("panel"))
	file := write(t, filepath.Join(dir, "c.yaml"), "instance: c\ndomain: c.example\nroot: "+root+"\n")
	for name, target := range map[string]apiclient.Target{
		"by the panel's socket":  {Socket: paths.CLISocket()},
		"whatever the URL says":  {Socket: paths.CLISocket(), URL: "https://panel.example"},
		"by its configuration":   {Config: file},
		"by a hint":              {Hint: write(t, filepath.Join(dir, "hint"), paths.CLISocket()+"\n")},
		"as the only one there":  {Roots: filepath.Join(dir, "root-*")},
		"where the hint is dead": {Hint: write(t, filepath.Join(dir, "dead"), "/no/such.sock"), Roots: filepath.Join(dir, "root-*")},
	} {
		w, err := apiclient.FindWorker(target)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		report, err := w.VerifyAudit(t.Context(), []byte("a head"))
		if err != nil || report.Rows != 7 || heads != "POST /audit/verify a head" {
			t.Errorf("%s: %+v, %v after %q", name, report, err, heads)
		}
	}
}

func TestAWorkerThatCannotBeFoundIsSaidSo(t *testing.T) {
	dir := place(t)
	for name, c := range map[string]struct {
		target apiclient.Target
		want   error
	}{
		"from elsewhere":     {apiclient.Target{URL: "https://panel.example"}, apiclient.ErrLocalOnly},
		"nobody there":       {apiclient.Target{Roots: filepath.Join(dir, "root-*")}, apiclient.ErrNoPanel},
		"faults in the file": {apiclient.Target{Config: write(t, filepath.Join(dir, "c.yaml"), "instance: c\n")}, config.ErrFaults},
	} {
		if _, err := apiclient.FindWorker(c.target); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestWhatTheWorkerAnswersIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		answer string
		want   error
		words  string
	}{
		"it has no records yet": {http.StatusServiceUnavailable, " no records \n", apiclient.ErrNoPanel, ": no records"},
		"it refuses":            {http.StatusUnprocessableEntity, "line 1", nil, "the worker says: line 1"},
		"it talks nonsense":     {http.StatusOK, "hello", nil, "decoding"},
	} {
		dir := place(t)
		paths := config.PathsBelow(dir)
		var heads string
		listen(t, paths.WorkerSocket(), verifier(c.status, c.answer, &heads))
		w, err := apiclient.FindWorker(apiclient.Target{Socket: paths.CLISocket()})
		if err != nil {
			t.Fatal(err)
		}
		report, err := w.VerifyAudit(t.Context(), nil)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) || report.Rows != 0 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
	w, err := apiclient.FindWorker(apiclient.Target{Socket: config.PathsBelow(place(t)).CLISocket()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.VerifyAudit(t.Context(), nil); !errors.Is(err, apiclient.ErrNoPanel) {
		t.Errorf("it does not run: %v", err)
	}
}

func TestARoleIsAskedOverItsSocket(t *testing.T) {
	socket := filepath.Join(place(t), "s")
	listen(t, socket, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/jobs":
			_, _ = io.WriteString(w, `["one"]`)
		case "/nonsense":
			_, _ = io.WriteString(w, `no JSON`)
		case "/health":
		default:
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	}))
	var jobs []string
	if err := apiclient.Ask(t.Context(), socket, "/jobs", &jobs); err != nil || len(jobs) != 1 || jobs[0] != "one" {
		t.Errorf("got %v, %v", jobs, err)
	}
	for _, path := range []string{"/health", "/nonsense"} { // whatever it says
		if err := apiclient.Ask(t.Context(), socket, path, nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := apiclient.Ask(t.Context(), socket, "/nonsense", &jobs); err == nil {
		t.Error("an answer that is no JSON is no error")
	}
	if err := apiclient.Ask(t.Context(), socket, "/other", &jobs); !errors.Is(err, apiclient.ErrUnhealthy) {
		t.Errorf("one that is not well: %v", err)
	}
	if err := apiclient.Ask(t.Context(), socket+"x", "/health", nil); err == nil || errors.Is(err, apiclient.ErrUnhealthy) {
		t.Errorf("one that is not there: %v", err)
	}
}
