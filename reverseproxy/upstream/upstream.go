// Package upstream is the part of the proxy that faces the applications: a pool of connections to each unix socket, and
// the forwarding of one request over one of them.
//
// It knows neither hosts nor pages. It exists because http.Transport, with two goroutines per connection and its copies,
// costs more than the rest of a proxied request. Start reading at Transport.Forward.
package upstream

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// The errors of Forward. Except for ErrAborted nothing was sent to the client, and the caller may answer.
var (
	// ErrUnreachable: the connection failed or timed out.
	ErrUnreachable = errors.New("upstream cannot be reached")
	// ErrBusy: too many requests are in flight to this upstream, and this one waited too long or was evicted.
	ErrBusy = errors.New("upstream has too many requests in flight")
	// ErrTooLarge: the body is larger than the target accepts.
	ErrTooLarge = errors.New("request body is too large")
	// ErrSlow: the client sent its body too slowly.
	ErrSlow = errors.New("request body came too slowly")
	// ErrBadAnswer: the application sent something that is not an HTTP response to this request.
	ErrBadAnswer = errors.New("upstream gave no valid answer")
	// ErrTimeout: no answer came in time.
	ErrTimeout = errors.New("upstream did not answer in time")
	// ErrClient: the client went away or sent a bad body before an answer came.
	ErrClient = errors.New("client gave up")
	// ErrAborted: the response ended too early. The client's connection must be closed, so that half a page never looks
	// like a complete one.
	ErrAborted = errors.New("response broke off")
)

// WebServerError is an error page of the web server itself, not of its application; the caller replaces it by its own.
type WebServerError struct {
	Status int // of the response
	Page   int // the status whose page the caller should send, from Options.ErrorPageStatus
}

// Error names the status.
func (e *WebServerError) Error() string {
	return fmt.Sprintf("web server answered %d by itself", e.Status)
}

// Options tune a Transport. Zero values get the defaults below.
type Options struct {
	DialTimeout time.Duration // 3 s
	// HeaderTimeout is how long an application may take to answer once it has the whole request; 5 min.
	HeaderTimeout time.Duration
	// StallTimeout ends a body, in either direction, that makes no progress; 5 min.
	StallTimeout time.Duration
	// ClientTimeout ends an upload on which no byte arrives; 60 s. The time for a whole upload is not limited.
	ClientTimeout time.Duration
	// MinRate is the average number of bytes per second that an upload must reach, after Grace; 4 KiB, 10 s. Faster
	// phases make up for pauses of up to ClientTimeout.
	MinRate int64
	Grace   time.Duration
	// BodyTimeout is how long a whole body may take where a Target bounds it; 15 s.
	BodyTimeout time.Duration
	// BufferSize is how much of a body is read before the request takes a place; 256 KiB. BufferMemory bounds it for all
	// requests together; 64 MiB.
	BufferSize, BufferMemory int64
	// QueueTimeout is how long a request waits for a place, or for memory; 60 s.
	QueueTimeout time.Duration
	// TunnelTimeout ends an idle websocket; 1 h.
	TunnelTimeout time.Duration
	// IdleTimeout is how long an idle connection is kept. It must be shorter than the application's own timeout (nginx:
	// 75 s), so that the proxy closes first; 30 s.
	IdleTimeout time.Duration
	// MaxIdle is how many unused connections are kept for one socket; 256.
	MaxIdle int
	// MaxActive is the number of places at one socket, unless the Target sets it; 160, which is how many requests the web
	// server of a site passes to its application at once.
	MaxActive int
	// ErrorPageStatus, if set, recognises error pages of the web server itself. It returns the status whose page replaces
	// such a response, which Forward then returns as a WebServerError, and 0 for a response of the application.
	ErrorPageStatus func(*http.Response) int
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
	o.BufferSize = cmp.Or(o.BufferSize, 256<<10)
	o.BufferMemory = cmp.Or(o.BufferMemory, 64<<20)
	o.QueueTimeout = cmp.Or(o.QueueTimeout, time.Minute)
	o.MaxHeaderBytes = cmp.Or(o.MaxHeaderBytes, 256<<10)
	return o
}

// Transport forwards requests to unix sockets. It is safe for concurrent use.
type Transport struct {
	opts   Options
	memory memoryLimiter
	mu     sync.RWMutex
	pools  map[string]*pool
}

// Target is where a request goes and what it may use there.
type Target struct {
	// Socket is the path of the application's socket.
	Socket string
	// Client is the client's name: one client holds no more than its share of places and memory. Empty for no such bound.
	Client string
	// Places is how many requests the application takes at once; Options.MaxActive if 0.
	Places int
	// MaxBody bounds a request's body, which must then be complete within Options.BodyTimeout; 0 for no bound.
	MaxBody int64
	// Filter, if set, changes the header of each response, interim ones included, and its trailer.
	Filter func(http.Header)
}

// New makes a transport. CloseIdleConns must run for idle connections to be closed in time.
func New(opts Options) *Transport {
	opts = opts.withDefaults()
	return &Transport{
		opts: opts, pools: make(map[string]*pool), memory: memoryLimiter{free: opts.BufferMemory, clients: make(map[string]int64)},
	}
}
