package identity_test

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/tenants/identity"
	"chatiere/tenants/identity/identitytest"
)

// hanging lets nothing through while it is set.
type hanging struct {
	hung    atomic.Bool
	asked   atomic.Int64
	release chan struct{}
}

func (h *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.hung.Load() {
		h.asked.Add(1)
		select {
		case <-h.release:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// An issuer that does not answer holds up only who waits for the answer, and is asked once for all of them.
func TestAskingWhetherTheIssuerIsThereHoldsNothing(t *testing.T) {
	at := time.Now()
	now := func() time.Time { return at } // stands still, so that one check serves all
	issuer := identitytest.NewIssuer(t, now)
	way := &hanging{release: make(chan struct{})}
	p := identity.NewProvider(identity.Settings{
		Issuer: issuer.URL, ClientID: issuer.ClientID, ClientSecret: issuer.Secret, PublicURL: "https://panel.lilas.example", Client: &http.Client{Transport: way},
	}, now, slog.New(slog.DiscardHandler))
	p.Run(t.Context())
	way.hung.Store(true)
	waiting := make(chan bool, 20)
	for range cap(waiting) {
		go func() { waiting <- p.Alive(t.Context()) }()
	}
	for way.asked.Load() == 0 {
		time.Sleep(time.Millisecond) // polls a condition
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	if p.Alive(gone) || time.Since(begun) > time.Second {
		t.Errorf("somebody who is gone waited %s", time.Since(begun))
	}
	way.hung.Store(false)
	close(way.release)
	for range cap(waiting) {
		if !<-waiting {
			t.Error("the issuer answered, and somebody was told that it does not")
		}
	}
	if n := way.asked.Load(); n != 1 {
		t.Errorf("asked %d times for one look", n)
	}
}
