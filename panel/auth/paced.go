package auth

import (
	"errors"
	"net/http"
	"time"
)

// errPaced says that the issuer was asked for its keys too often.
var errPaced = errors.New("issuer's keys were asked for a moment ago")

// These bound how often the issuer is asked for its keys: every token with a signature that no known key has made
// would cost it a request, and anybody can make such tokens.
const (
	keysEvery = time.Second
	keysBurst = 5
)

// paced is a transport that makes so many requests and refuses the others.
type paced struct {
	next  http.RoundTripper
	limit *Throttle
}

// pacedClient returns client with bounded requests.
func pacedClient(client *http.Client) *http.Client {
	slow := *client
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	slow.Transport = paced{next, NewThrottle(keysBurst, keysEvery, time.Now)}
	return &slow
}

// RoundTrip makes the request unless there were too many.
func (p paced) RoundTrip(r *http.Request) (*http.Response, error) {
	if !p.limit.Allow("issuer") {
		return nil, errPaced
	}
	return p.next.RoundTrip(r)
}
