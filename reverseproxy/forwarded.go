package reverseproxy

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Header fields that an application might trust. They are removed from clients' requests; the proxy sets those that
// apply.
var (
	notFromClients = map[string]bool{
		"Forwarded": true, "X-Real-Ip": true, "X-Request-Id": true, "Proxy": true, "Host": true,
		"Client-Ip": true, "X-Client-Ip": true, "X-Cluster-Client-Ip": true, "True-Client-Ip": true,
		"X-Original-Url": true, "X-Rewrite-Url": true, "X-Original-Host": true, "X-Host": true,
		"X-Accel-Redirect": true, "X-Sendfile": true,

		"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authenticate": true,
		"Proxy-Authorization": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
		"Http2-Settings": true,
	}
	notFromClientsPrefixes = []string{"X-Forwarded-", "X-Chatiere-"}
)

// forwarded cleans the header of a request and sets the forwarding fields. The fields named in Connection are removed
// first, so that a client cannot remove ours by naming them.
func forwarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := stateOf(w)
		websocket := wantsWebsocket(r)
		cleanHeader(r.Header)
		if websocket {
			r.Header["Upgrade"] = websocketValue
		}
		address := []string{clientAddress(r.RemoteAddr)}
		r.Host = x.entry.Authority
		r.Header["X-Forwarded-For"] = address
		r.Header["X-Real-Ip"] = address
		r.Header["X-Forwarded-Host"] = []string{x.entry.Authority}
		r.Header["X-Forwarded-Port"] = []string{portOf(x.entry.Authority)}
		r.Header["X-Forwarded-Proto"] = protoValue
		r.Header["X-Request-Id"] = []string{x.id}
		next.ServeHTTP(w, r)
	})
}

var (
	websocketValue = []string{"websocket"}
	protoValue     = []string{"https"}
)

// wantsWebsocket reports whether the client asks for a websocket. Other protocols, h2c above all, would let it speak to
// the application past the proxy.
func wantsWebsocket(r *http.Request) bool {
	if r.ProtoMajor != 1 || r.Method != http.MethodGet || len(r.Header["Upgrade"]) != 1 || r.ContentLength != 0 {
		return false
	}
	if !strings.EqualFold(r.Header["Upgrade"][0], "websocket") {
		return false
	}
	for _, list := range r.Header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(name), "upgrade") {
				return true
			}
		}
	}
	return false
}

func cleanHeader(header http.Header) {
	for _, list := range header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			delete(header, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for name := range header {
		if forbiddenFromClient(name) {
			delete(header, name)
		}
	}
}

func forbiddenFromClient(name string) bool {
	if notFromClients[name] {
		return true
	}
	for _, prefix := range notFromClientsPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	// FastCGI knows no difference between X_Real_IP and X-Real-IP.
	return strings.IndexByte(name, '_') >= 0
}

func clientAddress(remote string) string {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return unknownAddress
	}
	return addr.Addr().Unmap().WithZone("").String()
}

// unknownAddress is the dummy address of RFC 7600, which no client can have and nobody trusts.
const unknownAddress = "192.0.0.8"

func portOf(authority string) string {
	if _, port, found := strings.Cut(authority, ":"); found {
		return port
	}
	return strconv.Itoa(443)
}
