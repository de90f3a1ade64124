package egress_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"chatiere/reverseproxy/egress"
	"chatiere/reverseproxy/egress/spool"
)

// second gives site B the same list as site A, and waits for its socket.
func (h *house) second(t *testing.T, allow ...egress.AllowedName) {
	t.Helper()
	h.gateDir(t, siteB, gidB)
	l := egress.List{Site: siteB, GID: gidB, Host: "other.coop.test", Allow: allow}
	if err := egress.WriteList(h.options.ListDir, l); err != nil {
		t.Fatal(err)
	}
	h.await(t, "the socket of site B", func() bool { return exists(h.socket(siteB)) })
}

func TestBytesOfASiteFlowAtItsRate(t *testing.T) {
	const burst, rate, sent = 64 << 10, 128 << 10, 128 << 10
	h, target := withEcho(t, func(o *egress.Options) { o.Bytes, o.BytesBurst = rate, burst })
	conn, reader, _ := h.connect(t, target)
	began := time.Now()
	go func() { _, _ = conn.Write(make([]byte, sent)) }()
	if _, err := io.ReadFull(reader, make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	// Both ways count: 256 KiB, of which the burst passes at once.
	least := time.Duration(float64(2*sent-burst) / rate * float64(time.Second))
	if took := time.Since(began); took < least*9/10 || took > 5*least {
		t.Errorf("took %s, want about %s", took, least)
	}
}

func TestAllSitesTogetherHaveOnlySoManyTunnels(t *testing.T) {
	h, target := withEcho(t, func(o *egress.Options) { o.AllTunnels = 1 })
	first, _, _ := h.connect(t, target)
	if _, _, status := h.connect(t, target); status != http.StatusServiceUnavailable {
		t.Errorf("second: %d", status)
	}
	h.entry(t, "echo.example", func(e spool.Entry) bool {
		return e.Decision == spool.Failed && e.Reason == "too many tunnels of all sites"
	})
	_ = first.Close()
	h.await(t, "the place of a closed tunnel", func() bool {
		_, _, status := h.connect(t, target)
		return status == http.StatusOK
	})
}

// Ten thousand connections of one site, each held as long as the gateway holds
// it, and a neighbour that wants one.
func TestTenThousandConnectionsOfOneSiteLeaveTheOthersAlone(t *testing.T) {
	at := echo(t)
	port := int(at.Port())
	h := newHouse(t, func(o *egress.Options) {
		o.Resolver = newBook().say("echo.example", "127.0.0.1")
		var err error
		if o.Permit, err = egress.ParsePermits([]string{at.String()}); err != nil {
			t.Fatal(err)
		}
	})
	allow := egress.AllowedName{Name: "echo.example", Ports: []int{port}}
	h.open(t, allow)
	h.second(t, allow)
	flood := make(chan int)
	stop := make(chan struct{})
	go func() {
		made := 0
		var held []net.Conn
		for ; made < 10_000; made++ {
			conn, err := net.Dial("unix", h.socket(siteA))
			if err != nil {
				break
			}
			held = append(held, conn)
			if len(held) > 500 { // the test's own descriptors
				_ = held[0].Close()
				held = held[1:]
			}
		}
		flood <- made
		<-stop
		for _, conn := range held {
			_ = conn.Close()
		}
	}()
	defer close(stop)
	target := "echo.example:" + strconv.Itoa(port)
	var slowest time.Duration
	for tries := 0; ; tries++ {
		began := time.Now()
		conn, err := net.Dial("unix", h.socket(siteB))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(began.Add(10 * time.Second))
		_, err = io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\n\r\nhello")
		want := "HTTP/1.1 200 OK\r\n\r\nhello"
		got := make([]byte, len(want))
		if err == nil {
			_, err = io.ReadFull(conn, got)
		}
		_ = conn.Close()
		if err != nil || string(got) != want {
			t.Fatalf("try %d: %q, %v", tries, got, err)
		}
		slowest = max(slowest, time.Since(began))
		select {
		case made := <-flood:
			if made != 10_000 {
				t.Errorf("only %d connections were made", made)
			}
			if slowest > time.Second {
				t.Errorf("the neighbour waited %s", slowest)
			}
			t.Logf("the neighbour's %d connections took %s at most", tries+1, slowest)
			h.entry(t, "", func(e spool.Entry) bool { return e.Site == siteA && e.Reason == "too many tunnels" && e.Count > 0 })
			return
		case <-time.After(60 * time.Millisecond): // its own rate
		}
	}
}

func TestPort25StandsOnNoList(t *testing.T) {
	l := list(egress.AllowedName{Name: "mx.example.org", Ports: []int{443, 25}})
	if _, err := egress.EncodeList(l); !errors.Is(err, egress.ErrMailPort) {
		t.Errorf("%v", err)
	}
}
