package panel

import (
	"iter"
	"regexp"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/api"
	"chatiere/panel/contract"
	"chatiere/tenants"
)

// Names in an address: ids and slugs, and the files that pages load.
var (
	named = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	asset = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
)

// checkText rejects invalid ids and text before any look-up: in the database they could only cause errors, or mean
// something else.
func (s *Server) checkText(r route) fiber.Handler {
	e, program := contract.Find(r.method, r.path)
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
		if err := e.Check(c.Context().QueryArgs().All(), c.Get(api.HeaderIdempotency)); err != nil {
			return err
		}
		if !e.HasBody() && c.Method() != fiber.MethodGet && len(c.Body()) > 0 {
			if _, err := body[struct{}](c); err != nil {
				return err
			}
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
