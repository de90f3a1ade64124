package reverseproxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatiere/reverseproxy"
)

// dialFrom connects from another address of this machine.
func (p *proxy) dialFrom(t *testing.T, address, target string) (net.Conn, error) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", target)
	if err == nil {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return c, err
}

// secureFrom also shakes hands for HTTP/1.1.
func (p *proxy) secureFrom(t *testing.T, address string) (*tls.Conn, error) {
	t.Helper()
	c, err := p.dialFrom(t, address, p.https)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(c, &tls.Config{RootCAs: p.roots, ServerName: siteHost, NextProtos: []string{"http/1.1"}})
	return conn, conn.Handshake()
}

// clientFrom is a client at another address.
func (p *proxy) clientFrom(address string, h2 bool) *http.Client {
	client := p.client(h2)
	client.Timeout = 20 * time.Second
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		return d.DialContext(ctx, network, p.https)
	}
	return client
}

func at(host, site, socket string, change func(*reverseproxy.Route)) reverseproxy.Route {
	r := serving(socket)
	r.Host, r.Site = host, site
	if change != nil {
		change(&r)
	}
	return r
}

// Whatever the proxy answers by itself, it answers at once, and lets go soon after.
func TestABodyThatNeverComesHoldsNoConnection(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {})
	p := start(t, nil, serving(socket, `^/secret`),
		at("down."+domain, "s2", socket, func(r *reverseproxy.Route) { r.State = reverseproxy.StateDown }))
	long := "/?" + strings.Repeat("x", 17<<10)
	for name, c := range map[string]struct {
		plain      bool
		host, path string
	}{
		"redirect": {true, siteHost, "/"}, "unknown, plain": {true, "nobody." + domain, "/"}, "unknown": {false, "nobody." + domain, "/"},
		"refused path": {false, siteHost, "/secret"}, "not served": {false, "down." + domain, "/"}, "long address": {false, siteHost, long},
		"above the root": {false, siteHost, "/../x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conn net.Conn
			var err error
			if c.plain {
				conn, err = p.dialFrom(t, "127.0.0.1", p.http)
			} else {
				conn, err = p.secureFrom(t, "127.0.0.1")
			}
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n", c.path, c.host)
			br := bufio.NewReader(conn)
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Errorf("the answer: %v", err)
			}
			if took := time.Since(began); took > time.Second || !resp.Close {
				t.Errorf("answered after %v, says that it closes: %v", took, resp.Close)
			}
			if _, err := br.ReadByte(); err == nil || time.Since(began) > 5*time.Second {
				t.Errorf("still open after %v: %v", time.Since(began), err)
			}
		})
	}
}

// Seventeen addresses fill the table of connections, each with requests whose body never comes.
func TestATableFullOfRequestsWithoutBodyHasRoomForOthers(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "here") })
	p := start(t, func(o *reverseproxy.Options) { o.Edge.MaxConns, o.Edge.MaxClientConns = 64, 4 }, serving(socket))
	for i := range 17 {
		for range 4 {
			if c, err := p.dialFrom(t, fmt.Sprintf("127.0.7.%d", i+1), p.http); err == nil {
				fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n", siteHost)
			}
		}
	}
	for range 20 {
		c, err := p.secureFrom(t, "127.0.8.1")
		if err != nil {
			t.Fatalf("another visitor: %v", err)
		}
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", siteHost)
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
			t.Fatalf("another visitor: %v, %v", resp, err)
		}
		c.Close()
	}
}

// trickle sends the head of a request and the beginning of its body, and then nothing.
func (p *proxy) trickle(t *testing.T, address, host string, length, sent int) net.Conn {
	t.Helper()
	c, err := p.secureFrom(t, address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /slow HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", host, length, strings.Repeat("x", sent))
	return c
}

// A small body is nobody's business but its client's until it is there.
func TestSlowSmallBodiesNeverReachTheApplication(t *testing.T) {
	var slow atomic.Int32
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			slow.Add(1)
		}
	})
	p := start(t, func(o *reverseproxy.Options) { o.Upstream.Grace = 500 * time.Millisecond },
		at(siteHost, siteID, socket, func(r *reverseproxy.Route) { r.Places, r.MaxBody = 8, 1000 }))
	var conns []net.Conn
	for i := range 17 {
		for range 8 {
			conns = append(conns, p.trickle(t, fmt.Sprintf("127.0.7.%d", i+1), siteHost, 1000, 1))
		}
	}
	for _, h2 := range []bool{false, true} {
		client := p.clientFrom("127.0.8.1", h2)
		for range 20 {
			resp, err := client.Post("https://"+siteHost+"/", "text/plain", strings.NewReader("quick"))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Fatalf("a visitor's request: %d", resp.StatusCode)
			}
		}
	}
	for _, c := range conns {
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusRequestTimeout {
			t.Fatalf("a slow one: %v, %v", resp, err)
		}
	}
	if n := slow.Load(); n != 0 {
		t.Errorf("%d slow requests reached the application", n)
	}
}

// Large uploads that only just keep going give their places to whoever comes, of the client that holds the most.
func TestLargeSlowUploadsMakeRoom(t *testing.T) {
	var honest atomic.Int64
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/honest" {
			honest.Store(n)
		}
	})
	p := start(t, nil, at(siteHost, siteID, socket, func(r *reverseproxy.Route) { r.Places = 16 }))
	const size = 4 << 20
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		resp, err := p.clientFrom("127.0.8.2", true).Post("https://"+siteHost+"/honest", "video/mp4", reader)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	// The honest one goes on all the while, much faster than the trickles: on a busy machine a pause could be taken for
	// the least progress.
	served, sent := make(chan struct{}), make(chan int64, 1)
	go func() {
		defer writer.Close()
		for n := int64(0); ; {
			wrote, err := writer.Write(make([]byte, 64<<10))
			n += int64(wrote)
			select {
			case <-served:
				sent <- n
				return
			case <-time.After(5 * time.Millisecond): // its pace
			}
			if err != nil {
				sent <- n
				return
			}
		}
	}()
	for i := range 4 {
		for range 5 { // one of them has to wait its turn
			p.trickle(t, fmt.Sprintf("127.0.7.%d", i+1), siteHost, size, taken+1)
		}
	}
	for _, h2 := range []bool{false, true} {
		resp, err := p.clientFrom("127.0.8.1", h2).Get("https://" + siteHost + "/")
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("a visitor's request: %v, %v", resp, err)
		}
		resp.Body.Close()
	}
	close(served)
	n := <-sent
	if err := <-done; err != nil || honest.Load() != n {
		t.Errorf("the honest upload: %v, %d bytes of %d", err, honest.Load(), n)
	}
}

func TestOneClientLeavesPlacesToTheOthersAndWaitsItsTurn(t *testing.T) {
	let := make(chan struct{})
	var running, most atomic.Int32
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			most.Store(max(most.Load(), running.Add(1)))
			<-let
			running.Add(-1)
		}
	})
	p := start(t, nil, at(siteHost, siteID, socket, func(r *reverseproxy.Route) { r.Places = 20 }))
	var all sync.WaitGroup
	client := p.clientFrom("127.0.7.1", true)
	for range 30 {
		all.Go(func() {
			resp, err := client.Get("https://" + siteHost + "/slow")
			if err != nil || resp.StatusCode != 200 {
				t.Errorf("one of many: %v, %v", resp, err)
				return
			}
			resp.Body.Close()
		})
	}
	eventually(t, "its share runs", func() bool { return running.Load() == 4 })
	resp, err := p.clientFrom("127.0.8.1", false).Get("https://" + siteHost + "/")
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("another client: %v, %v", resp, err)
	}
	close(let)
	all.Wait()
	if most.Load() != 4 {
		t.Errorf("%d of one client at once", most.Load())
	}
}

// What panel and sign-in take is bounded: there is nothing to upload.
func TestBoundedBodiesAreRefusedWithAPage(t *testing.T) {
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	p := start(t, func(o *reverseproxy.Options) { o.Upstream.BodyTimeout = 300 * time.Millisecond },
		at(siteHost, siteID, socket, func(r *reverseproxy.Route) { r.MaxBody = 1000 }))
	both(t, p, func(t *testing.T, client *http.Client) {
		send := func(body io.Reader) (int, string) {
			t.Helper()
			req, _ := http.NewRequest("POST", "https://"+siteHost+"/", body)
			req.Header.Set("Accept-Language", "en")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			return resp.StatusCode, string(text)
		}
		whole := strings.Repeat("x", 1000)
		for _, body := range []io.Reader{strings.NewReader(whole), io.MultiReader(strings.NewReader(whole))} {
			if status, text := send(body); status != 200 || text != whole {
				t.Errorf("at the bound: %d, %d bytes", status, len(text))
			}
		}
		for _, body := range []io.Reader{strings.NewReader(whole + "x"), io.MultiReader(strings.NewReader(whole + "x"))} {
			if status, text := send(body); status != 413 || !strings.Contains(text, "What you sent is too large") {
				t.Errorf("beyond the bound: %d, %.300s", status, text)
			}
		}
		reader, writer := io.Pipe()
		defer writer.Close()
		go io.WriteString(writer, "never whole")
		if status, text := send(reader); status != 408 || !strings.Contains(text, "Your upload stopped") {
			t.Errorf("late: %d, %.300s", status, text)
		}
	})
}

// Pauses of 45 s in an upload of more than five minutes: all times are sixteen times shorter.
func TestAnHonestSlowUploadIsNoFault(t *testing.T) {
	const scale = 16
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})
	p := start(t, func(o *reverseproxy.Options) {
		o.Upstream.HeaderTimeout, o.Upstream.StallTimeout = 5*time.Minute/scale, 5*time.Minute/scale
		o.Upstream.ClientTimeout, o.Upstream.Grace = time.Minute/scale, 10*time.Second/scale
	}, serving(socket))
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2=%v", h2), func(t *testing.T) {
			t.Parallel()
			const piece, pieces = 32 << 10, 80
			reader, writer := io.Pipe()
			go func() {
				for i := range pieces {
					writer.Write(make([]byte, piece))
					if i%10 == 9 {
						time.Sleep(45 * time.Second / scale) // the client's own pauses
					} else {
						time.Sleep(20 * time.Millisecond)
					}
				}
				writer.Close()
			}()
			client := p.client(h2)
			resp, err := client.Post("https://"+siteHost+"/", "video/mp4", reader)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(text) != fmt.Sprint(pieces*piece, nil) {
				t.Errorf("%d, %s", resp.StatusCode, text)
			}
		})
	}
}

// Where the client stops, the application is told, and the client as well if it is still there.
func TestAnUploadThatStopsIsEndedWithAPage(t *testing.T) {
	got := make(chan error, 1)
	socket := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		got <- err
	})
	p := start(t, func(o *reverseproxy.Options) { o.Upstream.ClientTimeout = 300 * time.Millisecond }, serving(socket))
	c := p.trickle(t, "127.0.0.1", siteHost, 1<<20, taken+1)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("the client: %v, %v", resp, err)
	}
	if err := <-got; err == nil {
		t.Error("the application believes it has the whole body")
	}
}
