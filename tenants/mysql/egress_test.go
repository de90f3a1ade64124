//go:build integration

package mysql_test

import (
	"fmt"
	"testing"
	"time"

	"chatiere/tenants"
)

func tried(name string, decision tenants.EgressDecision, count int64, when time.Time) tenants.EgressAttempt {
	return tenants.EgressAttempt{
		SiteID: "s000000001", Name: name, Port: 443, Decision: decision, Reason: "name not in list", Count: count, Sent: 10, Received: 20,
		First: when, Last: when,
	}
}

func TestABatchOfTriesCountsOnceAndDaysAreSummed(t *testing.T) {
	ctx, s := store(t)
	first := tried("a.example", tenants.EgressRefused, 2, at)
	for _, fresh := range []bool{true, false} {
		if got, err := s.AddAttempts(ctx, "batch-1", []tenants.EgressAttempt{first}); err != nil || got != fresh {
			t.Errorf("fresh %v (%v), want %v", got, err, fresh)
		}
	}
	later := tried("a.example", tenants.EgressRefused, 3, at.Add(26*time.Hour))
	later.Reason = "port not in list"
	_, err := s.AddAttempts(ctx, "batch-2", []tenants.EgressAttempt{later, tried("b.example", tenants.EgressAllowed, 1, at)})
	must(t, err)
	got, err := s.Attempts(ctx, "s000000001", at)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %+v (%v)", got, err)
	}
	if a := got[0]; a.Name != "a.example" || a.Count != 5 || a.Sent != 20 || !a.First.Equal(at) || !a.Last.Equal(later.Last) ||
		a.Reason != "port not in list" || a.Decision != tenants.EgressRefused || a.Port != 443 {
		t.Errorf("got %+v", a)
	}
	if got, err := s.Attempts(ctx, "s000000001", at.Add(26*time.Hour)); err != nil || len(got) != 1 || got[0].Count != 3 {
		t.Errorf("of the second day: %+v (%v)", got, err)
	}
	hours, err := s.HourlyEgress(ctx, at.Add(-time.Hour))
	if h := hours["s000000001"]; err != nil || len(h) != 2 || h[0].Attempts != 3 || h[0].Refused != 2 || h[0].Bytes != 60 {
		t.Errorf("hours %+v (%v)", hours, err)
	}
	must(t, s.DeleteAttempts(ctx, at.Add(24*time.Hour)))
	if got, err := s.Attempts(ctx, "s000000001", at); err != nil || len(got) != 1 || got[0].Count != 3 {
		t.Errorf("after forgetting: %+v (%v)", got, err)
	}
}

// A site asks for thousands of names, among which one is asked for again and again.
func TestASiteThatAsksForVeryManyNamesFillsNothing(t *testing.T) {
	ctx, s := store(t)
	const batches, names = 4, 300
	for b := range batches {
		tries := []tenants.EgressAttempt{tried("often.example", tenants.EgressRefused, 1, at)}
		for n := range names {
			tries = append(tries, tried(fmt.Sprintf("n%d-%d.example", b, n), tenants.EgressRefused, 1, at.Add(-time.Minute)))
		}
		_, err := s.AddAttempts(ctx, fmt.Sprint("batch-", b), tries)
		must(t, err)
	}
	got, err := s.Attempts(ctx, "s000000001", at)
	if err != nil || len(got) != 201 {
		t.Fatalf("%d rows (%v), want 200 and the others", len(got), err)
	}
	sum, others := int64(0), int64(0)
	for _, try := range got {
		sum += try.Count
		switch try.Name {
		case "":
			others = try.Count
		case "often.example":
			if try.Count != batches {
				t.Errorf("the name tried most: %+v", try)
			}
		}
	}
	if sum != batches*(names+1) || others != batches*names-199 {
		t.Errorf("%d tries in all, %d among the others: none may be lost", sum, others)
	}
}

func TestThePanelReadsTriesAndWritesNone(t *testing.T) {
	ctx, worker, d := storeOn(t)
	_, err := worker.AddAttempts(ctx, "batch", []tenants.EgressAttempt{tried("a.example", tenants.EgressRefused, 1, at)})
	must(t, err)
	panel := as(t, d.Config(d.Panel))
	if got, err := panel.Attempts(ctx, "s000000001", at); err != nil || len(got) != 1 {
		t.Errorf("the panel reads %v (%v)", got, err)
	}
	if _, err := panel.AddAttempts(ctx, "other", nil); err == nil {
		t.Error("the panel added tries")
	}
}
