package apiclient_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/panel/api"
)

func TestRecordsAreAcceptedByRootOnceTheWorkerRefusesThem(t *testing.T) {
	c := instance(t)
	check := atomic.Pointer[api.Check]{}
	check.Store(&api.Check{Name: "records", State: api.CheckGreen})
	listen(t, c.Paths().WorkerSocket(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(c.Paths().RecordsConsent()); err == nil { // as a worker that takes the word
			check.Store(&api.Check{Name: "records", State: api.CheckGreen})
		}
		_ = json.NewEncoder(w).Encode(api.Diagnosis{Checks: []api.Check{*check.Load()}})
	}))
	if _, err := apiclient.AcceptRecords(t.Context(), c, "root"); !errors.Is(err, apiclient.ErrNothingToAccept) {
		t.Errorf("with nothing refused: %v", err)
	}
	if _, err := os.Stat(c.Paths().RecordsConsent()); err == nil {
		t.Error("a word lies there for the next older dump")
	}
	check.Store(&api.Check{Name: "records", State: api.CheckRed, Found: "older"})
	if refused, err := apiclient.AcceptRecords(t.Context(), c, "root"); err != nil || refused != "older" {
		t.Errorf("got %q, %v", refused, err)
	}
}

func TestRecordsCannotBeAcceptedForAWorkerThatIsNotThere(t *testing.T) {
	if _, err := apiclient.AcceptRecords(t.Context(), instance(t), "root"); err == nil || !strings.Contains(err.Error(), "start it first") {
		t.Errorf("got %v", err)
	}
}

func instance(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Parse("chatiere.yaml", []byte("instance: lilas\ndomain: lilas.example\nroot: "+place(t)+"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
