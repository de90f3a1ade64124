package reverseproxy

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
)

// identify gives each request a name of its own, under which it is found in the logs of the proxy and
// of the application. A name that the client sends is not believed.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw [8]byte
		_, _ = rand.Read(raw[:]) // never fails, by its documentation
		exchangeOf(w).id = hex.EncodeToString(raw[:])
		next.ServeHTTP(w, r)
	})
}
