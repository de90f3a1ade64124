package reverseproxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatiere/reverseproxy"
)

// wordpressRefusals resembles what a template refuses.
var wordpressRefusals = []string{
	`^/wp-content/uploads/.*\.(php|phtml|phar|php[0-9])(/|$)`, `^/wp-admin/install\.php`, `^/wp-admin/setup-config\.php`,
	`^/wp-config`, `^/readme\.html$`, `^/license\.txt$`, `^/xmlrpc\.php$`, `(^|/)\.(git|svn|ht|env|user\.ini)`,
	`\.(sql|bak|old|swp|orig|dump|log)$`, `^/wp-includes/.*\.php$`, `^/wp-content/.*\.(sh|pl|py|cgi)$`,
}

// page is a backend that answers every request with 16 KiB, as cheaply as can be.
func page(b *testing.B) string {
	answer := "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 05:00:00 GMT\r\nContent-Type: text/html; charset=UTF-8\r\n" +
		"Link: <https://demo.lilas.test/wp-json/>; rel=\"https://api.w.org/\"\r\nVary: Accept-Encoding\r\nContent-Length: 16384\r\n\r\n" + strings.Repeat("x", 16384)
	return rawBackend(b, func(c net.Conn) {
		br := bufio.NewReader(c)
		for {
			for {
				line, err := br.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == 2 {
					break
				}
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
}

func thousand(socket string) []reverseproxy.Route {
	site := serving(socket, wordpressRefusals...)
	site.SharedDomain = domain
	routes := []reverseproxy.Route{site}
	for i := range 999 {
		routes = append(routes, reverseproxy.Route{
			Host: fmt.Sprintf("asso%d.%s", i, domain), Site: fmt.Sprintf("s%d", i), State: reverseproxy.StateServing,
			Upstream: "unix:" + socket, Refuse: wordpressRefusals,
		})
	}
	return routes
}

// BenchmarkPage measures a 16 KiB page through TLS, with 1,000 routes, header rewriting, refusals and
// counting; client and backend are in the figure. cpu-µs is processor time of the whole process.
func BenchmarkPage(b *testing.B) {
	p := start(b, func(o *reverseproxy.Options) { o.Access = nil }, thousand(page(b))...)
	for _, protocol := range []string{"h1", "h2"} {
		b.Run(protocol, func(b *testing.B) {
			client := p.client(protocol == "h2")
			client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
			b.ReportAllocs()
			before := cpu()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, err := http.NewRequest("GET", "https://"+siteHost+"/2026/11/un-article/", nil)
					if err != nil {
						b.Fatal(err)
					}
					req.Header.Set("Cookie", "a=b; c=d")
					req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
					req.Header.Set("Accept-Language", "fr,en;q=0.5")
					resp, err := client.Do(req)
					if err != nil {
						b.Fatal(err)
					}
					if n, err := io.Copy(io.Discard, resp.Body); n != 16384 || err != nil {
						b.Fatal(n, err)
					}
					resp.Body.Close()
				}
			})
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
