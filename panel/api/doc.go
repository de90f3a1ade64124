// Package api holds what travels over the panel's JSON API: requests, answers, errors, and the codes that tell them apart.
//
// It must not know how the panel serves them nor where they come from, so that the command line and tests can import it.
// Start reading at Site and Error.
package api

// Prefix is where the API lives.
const Prefix = "/api/v1"

// HeaderIdempotency makes a wish sent twice one operation.
const HeaderIdempotency = "Idempotency-Key"

// HeaderCSRF carries the session's token when a browser's cookie, and not an API token, authenticates a change.
const HeaderCSRF = "X-CSRF-Token"
