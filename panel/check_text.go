package panel

import (
	"iter"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/openapi"
	"chatiere/tenants"
)

// Names in an address: ids and slugs, and the files that pages load.
var (
	named = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	asset = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	keyed = regexp.MustCompile(patterns[api.HeaderIdempotency].Pattern)
)

// checkText rejects invalid ids and text before any look-up: in the database they could only cause errors, or mean
// something else.
func (s *Server) checkText(r route) fiber.Handler {
	e, program := r.endpoint()
	return func(c *fiber.Ctx) error {
		for name, value := range c.AllParams() {
			if !named.MatchString(value) && (name != "name" || !asset.MatchString(value)) {
				return hideNotFound(c, tenants.ErrNotFound)
			}
		}
		if !validText(c) {
			return errMalformed
		}
		if !program {
			return c.Next()
		}
		if err := e.checkParameters(c); err != nil {
			return err
		}
		return c.Next()
	}
}

// validText rejects invalid and invisible characters in addresses and forms, which make names that look like others.
func validText(c *fiber.Ctx) bool {
	valid := func(args iter.Seq2[[]byte, []byte]) bool {
		for key, value := range args {
			if !utf8.Valid(key) || !utf8.Valid(value) {
				return false
			}
		}
		return true
	}
	return valid(c.Context().QueryArgs().All()) && (c.Method() != fiber.MethodPost || valid(c.Context().PostArgs().All()))
}

// checkParameters checks everything outside the body: parameters, the idempotency key, and that a route without a body
// gets none.
func (e endpoint) checkParameters(c *fiber.Ctx) error {
	var faults tenants.Faults
	seen := map[string]bool{}
	for key, value := range c.Context().QueryArgs().All() {
		name := string(key)
		at := slices.IndexFunc(e.query, func(p openapi.Parameter) bool { return p.Name == name })
		switch {
		case at < 0:
			faults = append(faults, tenants.Fault{Field: name, Code: "unknown"})
		case seen[name]:
			faults = append(faults, tenants.Fault{Field: name, Code: "repeated"})
		default:
			if code := valueFault(e.query[at].Schema, string(value)); code != "" {
				faults = append(faults, tenants.Fault{Field: name, Code: code})
			}
		}
		seen[name] = true
	}
	if key := c.Get(api.HeaderIdempotency); key != "" && !keyed.MatchString(key) {
		faults = append(faults, tenants.Fault{Field: api.HeaderIdempotency, Code: "malformed"})
	}
	if len(faults) > 0 {
		return faults
	}
	if e.request == nil && c.Method() != fiber.MethodGet && len(c.Body()) > 0 {
		_, err := body[struct{}](c)
		return err
	}
	return nil
}

// valueFault returns the fault code of a parameter, "" if it is valid or empty.
func valueFault(s openapi.Schema, value string) string {
	switch {
	case value == "":
		return ""
	case s.Type == "integer":
		n, err := strconv.Atoi(value)
		if err != nil || n < *s.Minimum || n > *s.Maximum {
			return "malformed"
		}
	case s.Type == "boolean" && value != "true" && value != "false":
		return "malformed"
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, value):
		return "unknown"
	case s.MaxLength != nil && utf8.RuneCountInString(value) > *s.MaxLength:
		return "too_long"
	}
	return ""
}
