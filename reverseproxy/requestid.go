package reverseproxy

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
)

// requestID gives each request a random id for the logs of the proxy and of the application. An id from the client is
// ignored.
func requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw [8]byte
		_, _ = rand.Read(raw[:]) // never fails, by its documentation
		stateOf(w).id = hex.EncodeToString(raw[:])
		next.ServeHTTP(w, r)
	})
}
