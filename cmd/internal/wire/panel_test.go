package wire_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"chatiere/cmd/internal/wire"
	"chatiere/panel/api"
)

func TestAWorkerThatDoesNotAnswerIsTheDiagnosis(t *testing.T) {
	w := wire.PanelWorker(configure(t, "").Paths().WorkerPanelSocket())
	w.Nudge() // must neither fail nor hang
	got, err := w.Examine(t.Context())
	if err != nil || len(got.Checks) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if c := got.Checks[0]; c.Name != "worker" || c.State != api.CheckRed || c.Found == "" || c.Advice == "" || got.Healthy() {
		t.Errorf("got %+v", c)
	}
}

func TestAWorkerIsNudgedAndReturnsItsDiagnosis(t *testing.T) {
	path := configure(t, "").Paths().WorkerPanelSocket()
	var mu sync.Mutex
	var asked []string
	listen(t, path, (*httptest.Server).Start, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.URL.Path)
		_ = json.NewEncoder(w).Encode(api.Diagnosis{Checks: []api.Check{{Name: "disk", State: api.CheckRed, Found: "1 %", Advice: "Make room."}}})
	}))
	w := wire.PanelWorker(path)
	w.Nudge()
	got, err := w.Examine(t.Context())
	if err != nil || len(got.Checks) != 2 || got.Checks[0].Name != "worker" || got.Checks[0].State != api.CheckGreen || got.Checks[1].Advice != "Make room." {
		t.Errorf("got %+v, %v", got, err)
	}
	if want := []string{"POST /nudge", "GET /doctor"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q", asked)
	}
}

func TestAWorkerThatAnswersNonsenseIsAnError(t *testing.T) {
	path := configure(t, "").Paths().WorkerPanelSocket()
	listen(t, path, (*httptest.Server).Start, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "oh", http.StatusInternalServerError)
	}))
	if got, err := wire.PanelWorker(path).Examine(t.Context()); err == nil || len(got.Checks) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}
