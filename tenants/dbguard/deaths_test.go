package dbguard_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/dbguard"
)

// Notes implements dbguard.Deaths, as do the next three. They survive a restart of the worker.
func (h *house) Notes() ([]dbguard.Note, error)    { return slices.Clone(h.notes), nil }
func (h *house) Load() ([]dbguard.Death, error)    { return slices.Clone(h.deaths), nil }
func (h *house) Save(deaths []dbguard.Death) error { h.deaths = slices.Clone(deaths); return nil }
func (h *house) Remove(id string) error {
	h.notes = slices.DeleteFunc(h.notes, func(n dbguard.Note) bool { return n.ID == id })
	return nil
}

// die has the server die while these sites waited for an answer.
func (h *house) die(sites ...dbguard.NotedSite) {
	h.died++
	h.notes = append(h.notes, dbguard.Note{ID: strconv.Itoa(h.died), At: h.now, Sites: sites})
}

func waiting(site string) dbguard.NotedSite {
	return dbguard.NotedSite{Site: site, Waiting: true, Size: 90}
}
func sent(site string, ago time.Duration) dbguard.NotedSite {
	return dbguard.NotedSite{Site: site, Sent: ago, Size: 20}
}

const killer, busy, third = "s000000001", "s000000002", "s000000003"

func TestTheOnlySiteCommonToThreeDeathsIsLocked(t *testing.T) {
	h := newHouse()
	for i, others := range [][]dbguard.NotedSite{{waiting(busy)}, {waiting(third)}, {waiting(busy)}} {
		h.look(t, 600)
		h.die(append(others, waiting(killer))...)
		if i < 2 {
			h.wants(t, "not yet known", 60, "")
		}
		if i == 0 {
			h.restart() // and remembers
		}
	}
	h.wants(t, "the third death", 60, "stop "+killer+", lock "+greedy)
	if len(h.findings) != 1 || h.findings[0].Subject != killer || h.findings[0].Code != tenants.FindingDatabaseLocked {
		t.Errorf("said %+v", h.findings)
	}
	h.restart()
	h.wants(t, "a new worker", 60, "")
	h.set(killer, tenants.StateReady) // by a volunteer
	h.wants(t, "resumed", 60, "unlock "+greedy)
	h.die(waiting(killer))
	h.wants(t, "a new start", 60, "")
}

func TestALockWaitsForTheServer(t *testing.T) {
	h := newHouse()
	for range 3 {
		h.die(waiting(killer))
	}
	h.lockFault = tenants.ErrUnavailable
	h.wants(t, "while the server is away", 3, "stop "+killer)
	h.lockFault = nil
	h.wants(t, "the server is back", 3, "lock "+greedy)
}

func TestWhoSharesAllDeathsIsSharedSuspicion(t *testing.T) {
	h := newHouse()
	for range 3 {
		h.look(t, 60)
		h.die(waiting(killer), waiting(busy))
	}
	h.wants(t, "two are common", 60, "")
	h.die(waiting(killer))
	h.wants(t, "one is left", 1, "stop "+killer+", lock "+greedy)
}

func TestDeathsThatLieADayApartConvictNobody(t *testing.T) {
	h := newHouse()
	for range 5 {
		h.die(waiting(killer))
		h.wants(t, "a death", 1, "")
		h.now = h.now.Add(12*time.Hour + time.Minute)
	}
	h.die()
	h.wants(t, "one that nobody has to do with", 1, "")
	if len(h.deaths) != 1 {
		t.Errorf("remembers %+v", h.deaths)
	}
}

// A site that has the first of several statements answered waits for nothing, in the forwarder's eyes.
func TestAnAnswerThatHasBegunClearsNobody(t *testing.T) {
	for what, noted := range map[string][]dbguard.NotedSite{
		"sent since the last look": {sent(killer, 1500*time.Millisecond), sent(busy, 20*time.Second), waiting(third)},
		"running at the last look": {sent(killer, 20*time.Second), sent(busy, 20*time.Second), waiting(third)},
		"not even noted any more":  {sent(busy, 20*time.Second), waiting(third)},
	} {
		h := newHouse()
		for range 3 {
			h.loads, h.away = []dbguard.Load{{Database: quiet, Connections: 1}, {Database: greedy, Statements: 1}}, nil
			if what == "sent since the last look" {
				h.loads[1].Statements = 0
			}
			h.look(t, 2)
			h.die(noted...)
			h.wants(t, what, 1, "")
		}
		h.die(noted[:len(noted)-1]...) // the third site has nothing to do with it
		h.wants(t, what, 1, "stop "+killer+", lock "+greedy)
	}
}

func TestAStatementThatGoesOnAfterAKillIsSuspected(t *testing.T) {
	h := newHouse()
	h.loads = []dbguard.Load{{Database: greedy, Statements: 1, Running: 3 * time.Minute}}
	h.wants(t, "ended", 1, "kill "+greedy)
	h.loads = nil // connections that are being ended are not seen
	h.look(t, 2)
	h.die()
	h.look(t, 1)
	if len(h.deaths) != 1 || !slices.Equal(h.deaths[0].Sites, []string{killer}) {
		t.Errorf("remembers %+v", h.deaths)
	}
}

func TestWithoutALookBeforeItTheLastMinuteIsSuspected(t *testing.T) {
	h := newHouse()
	h.die(sent(killer, 50*time.Second), sent(busy, 70*time.Second))
	h.look(t, 1)
	if len(h.deaths) != 1 || !slices.Equal(h.deaths[0].Sites, []string{killer}) {
		t.Errorf("remembers %+v", h.deaths)
	}
}
