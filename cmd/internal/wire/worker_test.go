package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatiere/cmd/internal/wire"
	"chatiere/panel/api"
)

// journal keeps what is logged.
type journal struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func newJournal() *journal { return &journal{Handler: slog.DiscardHandler} }

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, r.Message)
	return nil
}

func TestASecondWorkerSaysOnceThatItWaitsAndThenWorks(t *testing.T) {
	c := configure(t, "")
	synctest.Test(t, func(t *testing.T) {
		first, err := wire.Alone(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		said := newJournal()
		working := make(chan func(), 1)
		go func() {
			unlock, err := wire.Alone(t.Context(), c, slog.New(said))
			if err != nil {
				t.Error(err)
			}
			working <- unlock
		}()
		time.Sleep(time.Minute) // of the bubble's own clock: many looks at the lock
		synctest.Wait()
		if len(working) > 0 {
			t.Fatal("two workers work on one data root")
		}
		if len(said.lines) != 1 || !strings.Contains(said.lines[0], "another worker") {
			t.Errorf("said %q", said.lines)
		}
		first()
		unlock := <-working
		unlock()
	})
}

func TestAWorkerThatIsStoppedWhileItWaitsLeaves(t *testing.T) {
	c := configure(t, "")
	synctest.Test(t, func(t *testing.T) {
		unlock, err := wire.Alone(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := wire.Alone(ctx, c, slog.New(slog.DiscardHandler)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWorkersOfOtherDataRootsDoNotWait(t *testing.T) {
	for range 2 {
		unlock, err := wire.Alone(t.Context(), configure(t, ""), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
	}
}

func TestADataRootWithoutPlaceForTheLockIsAnError(t *testing.T) {
	c := configure(t, "")
	c.Root += "/nowhere"
	if _, err := wire.Alone(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "lock") {
		t.Errorf("got %v", err)
	}
}

func TestADeadWorkerIsItselfARedLine(t *testing.T) {
	w := wire.NewWorkerClient(configure(t, "").Paths().WorkerPanelSocket())
	w.Nudge() // must neither fail nor hang
	got, err := w.Examine(t.Context())
	if err != nil || len(got.Checks) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if c := got.Checks[0]; c.Name != "worker" || c.State != api.CheckRed || c.Found == "" || c.Advice == "" || got.Healthy() {
		t.Errorf("got %+v", c)
	}
}

func TestALivingWorkerIsNudgedAndTellsWhatItFound(t *testing.T) {
	c := configure(t, "")
	var mu sync.Mutex
	var asked []string
	listen(t, c.Paths().WorkerPanelSocket(), (*httptest.Server).Start, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.URL.Path)
		_ = json.NewEncoder(w).Encode(api.Diagnosis{Checks: []api.Check{{Name: "disk", State: api.CheckRed, Found: "1 %", Advice: "Make room."}}})
	}))
	w := wire.NewWorkerClient(c.Paths().WorkerPanelSocket())
	w.Nudge()
	got, err := w.Examine(t.Context())
	if err != nil || len(got.Checks) != 2 || got.Checks[0].Name != "worker" || got.Checks[0].State != api.CheckGreen || got.Checks[1].Advice != "Make room." {
		t.Errorf("got %+v, %v", got, err)
	}
	if want := []string{"POST /nudge", "GET /doctor"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q", asked)
	}
}

func TestANudgeDoesNotWaitForAWorkerThatHangs(t *testing.T) {
	c := configure(t, "")
	listen(t, c.Paths().WorkerPanelSocket(), (*httptest.Server).Start, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	began := time.Now()
	wire.NewWorkerClient(c.Paths().WorkerPanelSocket()).Nudge()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("a person's request waited %s for it", took)
	}
}

func TestAWorkerThatAnswersNonsenseIsAnError(t *testing.T) {
	c := configure(t, "")
	listen(t, c.Paths().WorkerPanelSocket(), (*httptest.Server).Start, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "oh", http.StatusInternalServerError)
	}))
	if got, err := wire.NewWorkerClient(c.Paths().WorkerPanelSocket()).Examine(t.Context()); err == nil || len(got.Checks) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}
