package edge_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"chatiere/reverseproxy/edge"
)

// A page is header, body and end; each would be a system call of its own.
func TestPageIsOneSystemCallInBothProtocols(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 16<<10)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sized" {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.Write(body)
	}, nil)
	for _, path := range []string{"/sized", "/unsized"} {
		for _, h2 := range []bool{false, true} {
			client := s.client(t, h2)
			fetch := func() {
				t.Helper()
				resp, err := client.Get("https://" + name + path)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, body) {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
			}
			fetch() // with the handshake and the first settings
			const pages = 20
			before := s.listener.writes.Load()
			for range pages {
				fetch()
			}
			// On a busy machine, a few take longer than what waits may wait.
			if n := s.listener.writes.Load() - before; n > pages*3/2 {
				t.Errorf("%s, h2 %v: %d writes for %d pages", path, h2, n, pages)
			}
		}
	}
}

func TestWhatIsFlushedComesAtOnceAndWhatIsNotComesSoon(t *testing.T) {
	next := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		block := bytes.Repeat([]byte("x"), 5000) // more than net/http keeps to itself
		for i := range 6 {
			w.Write(block)
			if i%2 == 0 {
				w.(http.Flusher).Flush()
			}
			<-next
		}
	}, nil)
	for _, h2 := range []bool{false, true} {
		resp, err := s.client(t, h2).Get("https://" + name + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for i := range 6 {
			// Unflushed, net/http keeps some of the 5000 itself, but not most of them.
			if _, err := io.ReadFull(resp.Body, make([]byte, 900)); err != nil {
				t.Fatalf("h2 %v, block %d: %v", h2, i, err)
			}
			next <- struct{}{}
		}
		if rest, err := io.Copy(io.Discard, resp.Body); err != nil || rest != 6*(5000-900) {
			t.Errorf("h2 %v: %d more bytes, %v", h2, rest, err)
		}
	}
}

// A stream whose client opens no window must not hold up the others on its connection.
func TestStalledStreamHoldsUpNoOther(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 100<<10))
	}, nil)
	c, err := s.dial(t, func(c *tls.Config) { c.NextProtos = []string{"h2"} })
	if err != nil {
		t.Fatal(err)
	}
	framer := newFramed(t, c, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
	framer.WriteWindowUpdate(0, 1<<24)
	got := make(map[uint32]int)
	until := func(what string, done func() bool) {
		t.Helper()
		for !done() {
			frame, err := framer.ReadFrame()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if data, ok := frame.(*http2.DataFrame); ok {
				got[data.StreamID] += len(data.Data())
			}
		}
	}
	framer.ask(1)
	until("first window of the stalled one", func() bool { return got[1] == 1000 })
	for stream := uint32(3); stream < 13; stream += 2 {
		framer.ask(stream)
		framer.WriteWindowUpdate(stream, 1<<20)
		until(fmt.Sprintf("stream %d", stream), func() bool { return got[stream] == 100<<10 })
	}
	if got[1] != 1000 {
		t.Errorf("stalled stream sent %d", got[1])
	}
}

func TestLastWordsLeaveBeforeTheConnectionCloses(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 9000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.Write(body)
	}, func(o *edge.Options) { o.WriteTimeout = 5 * time.Second })
	for range 20 {
		resp, err := s.client(t, false).Get("https://" + name + "/")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
}
