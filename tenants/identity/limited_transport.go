package identity

import (
	"errors"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// errKeysLimited means that the issuer was asked for its keys too often.
var errKeysLimited = errors.New("issuer's keys were asked for a moment ago")

// These bound how often the issuer is asked for its keys: every token with a signature that no known key has made
// would cost it a request, and anybody can make such tokens.
const (
	keysInterval = time.Second
	keysBurst    = 5
)

// limitedTransport is a transport with a rate limit.
type limitedTransport struct {
	next  http.RoundTripper
	limit *rate.Limiter
}

// limitedClient returns a copy of client with a rate limit.
func limitedClient(client *http.Client) *http.Client {
	slow := *client
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	slow.Transport = limitedTransport{next, rate.NewLimiter(rate.Every(keysInterval), keysBurst)}
	return &slow
}

// RoundTrip makes the request unless there were too many.
func (p limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !p.limit.Allow() {
		return nil, errKeysLimited
	}
	return p.next.RoundTrip(r)
}
