// Package upstream is the proxy's side towards the applications: a pool of connections to each unix
// socket, and the forwarding of one request over one of them.
//
// It knows neither hosts nor pages. It exists because http.Transport, with its two goroutines per
// connection and its copies, costs more than all the rest of a proxied request. Start reading at
// Transport.Forward.
package upstream

import (
	"cmp"
	"errors"
	"sync"
	"time"
)

// What can go wrong. Until ErrAborted nothing was sent to the client, and the caller may answer.
var (
	// ErrUnreachable: nobody listens, or not in time.
	ErrUnreachable = errors.New("upstream cannot be reached")
	// ErrBusy: too many requests are in flight to this upstream.
	ErrBusy = errors.New("upstream has too many requests in flight")
	// ErrBadAnswer: what came back is not an HTTP response, or not one to this request.
	ErrBadAnswer = errors.New("upstream gave no valid answer")
	// ErrTimeout: no answer came in time.
	ErrTimeout = errors.New("upstream did not answer in time")
	// ErrClient: the client went away or sent a bad body before an answer came.
	ErrClient = errors.New("client gave up")
	// ErrAborted: the response broke off midway. The client's connection must be cut, so that half
	// a page never looks like a whole one.
	ErrAborted = errors.New("response broke off")
)

// Options tune a Transport. Zero values get the defaults below.
type Options struct {
	DialTimeout time.Duration // 3 s
	// HeaderTimeout is how long an application may think before it answers; 5 min.
	HeaderTimeout time.Duration
	// StallTimeout ends a body, in either direction, that makes no progress; 5 min.
	StallTimeout time.Duration
	// ClientTimeout ends an upload of which nothing comes; 60 s. There is no limit to how long or how
	// slow a whole one may be.
	ClientTimeout time.Duration
	// TunnelTimeout ends a websocket on which nothing passes; 1 h.
	TunnelTimeout time.Duration
	// IdleTimeout is how long an unused connection is kept. It must be shorter than the
	// application's own (nginx: 75 s), so that it is us who closes; 30 s.
	IdleTimeout time.Duration
	// MaxIdle is how many unused connections are kept for one socket; 256.
	MaxIdle int
	// MaxActive is how many requests may be in flight to one socket; 512.
	MaxActive int
	// MaxHeaderBytes bounds the header of a response; 256 KiB.
	MaxHeaderBytes int64
}

func (o Options) withDefaults() Options {
	o.DialTimeout = cmp.Or(o.DialTimeout, 3*time.Second)
	o.HeaderTimeout = cmp.Or(o.HeaderTimeout, 5*time.Minute)
	o.StallTimeout = cmp.Or(o.StallTimeout, 5*time.Minute)
	o.ClientTimeout = cmp.Or(o.ClientTimeout, time.Minute)
	o.TunnelTimeout = cmp.Or(o.TunnelTimeout, time.Hour)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 30*time.Second)
	o.MaxIdle = cmp.Or(o.MaxIdle, 256)
	o.MaxActive = cmp.Or(o.MaxActive, 512)
	o.MaxHeaderBytes = cmp.Or(o.MaxHeaderBytes, 256<<10)
	return o
}

// Transport forwards requests to unix sockets. It is safe for concurrent use.
type Transport struct {
	opts  Options
	mu    sync.RWMutex
	pools map[string]*pool
}

// New makes a transport. Tend must run for unused connections to be closed in time.
func New(opts Options) *Transport {
	return &Transport{opts: opts.withDefaults(), pools: make(map[string]*pool)}
}
