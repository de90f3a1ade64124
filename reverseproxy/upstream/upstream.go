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
	"fmt"
	"net/http"
	"sync"
	"time"
)

// What can go wrong. Until ErrAborted nothing was sent to the client, and the caller may answer.
var (
	// ErrUnreachable: nobody listens, or not in time.
	ErrUnreachable = errors.New("upstream cannot be reached")
	// ErrBusy: too many requests are in flight to this upstream, and this one had to wait too long or to make room.
	ErrBusy = errors.New("upstream has too many requests in flight")
	// ErrTooLarge: the body is larger than the target takes.
	ErrTooLarge = errors.New("request body is too large")
	// ErrSlow: the client sent its body more slowly than it may.
	ErrSlow = errors.New("request body came too slowly")
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

// OwnError is an error page that the web server made itself, which the caller replaces by its own.
type OwnError struct {
	Status int // of the response
	Page   int // the status whose page fits, by Options.Own
}

// Error names the status.
func (e *OwnError) Error() string { return fmt.Sprintf("web server answered %d by itself", e.Status) }

// Options tune a Transport. Zero values get the defaults below.
type Options struct {
	DialTimeout time.Duration // 3 s
	// HeaderTimeout is how long an application may think once it has the whole request; 5 min.
	HeaderTimeout time.Duration
	// StallTimeout ends a body, in either direction, that makes no progress; 5 min.
	StallTimeout time.Duration
	// ClientTimeout ends an upload of which nothing comes; 60 s. There is no limit to how long a whole one may take.
	ClientTimeout time.Duration
	// MinRate is what an upload must bring per second on average, once Grace is over; 4 KiB, 10 s. What comes faster
	// buys time for pauses, up to ClientTimeout.
	MinRate int64
	Grace   time.Duration
	// BodyTimeout is how long a whole body may take where a Target bounds it; 15 s.
	BodyTimeout time.Duration
	// Intake is how much of a body is taken in before a place is; 256 KiB. IntakeMemory bounds it for all requests
	// together; 64 MiB.
	Intake, IntakeMemory int64
	// QueueTimeout is how long a request waits for a place, or for memory; 60 s.
	QueueTimeout time.Duration
	// TunnelTimeout ends a websocket on which nothing passes; 1 h.
	TunnelTimeout time.Duration
	// IdleTimeout is how long an unused connection is kept. It must be shorter than the
	// application's own (nginx: 75 s), so that it is us who closes; 30 s.
	IdleTimeout time.Duration
	// MaxIdle is how many unused connections are kept for one socket; 256.
	MaxIdle int
	// MaxActive is how many places there are at one socket, unless the Target says it; 160. That is what the web
	// server of a site lets to its application.
	MaxActive int
	// Own, if set, tells the error pages of a web server from the responses of its application: it returns the
	// status whose page stands for the former, which Forward then returns as an OwnError, and 0 for the latter.
	Own func(*http.Response) int
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
	o.MaxActive = cmp.Or(o.MaxActive, 160)
	o.MinRate = cmp.Or(o.MinRate, 4<<10)
	o.Grace = cmp.Or(o.Grace, 10*time.Second)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 15*time.Second)
	o.Intake = cmp.Or(o.Intake, 256<<10)
	o.IntakeMemory = cmp.Or(o.IntakeMemory, 64<<20)
	o.QueueTimeout = cmp.Or(o.QueueTimeout, time.Minute)
	o.MaxHeaderBytes = cmp.Or(o.MaxHeaderBytes, 256<<10)
	return o
}

// Transport forwards requests to unix sockets. It is safe for concurrent use.
type Transport struct {
	opts   Options
	memory memory
	mu     sync.RWMutex
	pools  map[string]*pool
}

// Target is where a request goes and what it may take there.
type Target struct {
	// Socket is the path of the application's socket.
	Socket string
	// Client is who asks: one client holds no more than its share of places and memory. Empty for no such bound.
	Client string
	// Places is how many requests the application takes at once; Options.MaxActive if 0.
	Places int
	// MaxBody bounds a request's body, which then has Options.BodyTimeout to come whole; 0 for no bound.
	MaxBody int64
	// Filter, if set, changes the header of each response, interim ones included, and its trailer.
	Filter func(http.Header)
}

// New makes a transport. Tend must run for unused connections to be closed in time.
func New(opts Options) *Transport {
	opts = opts.withDefaults()
	return &Transport{
		opts: opts, pools: make(map[string]*pool), memory: memory{free: opts.IntakeMemory, clients: make(map[string]int64)},
	}
}
