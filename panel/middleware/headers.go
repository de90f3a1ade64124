package middleware

import (
	"strings"

	"github.com/gofiber/fiber/v2"
)

const ownForms = "form-action 'self'"

// AllowForm lets the forms of this one page lead to another origin, too.
func AllowForm(c *fiber.Ctx, origin string) {
	policy := c.GetRespHeader(fiber.HeaderContentSecurityPolicy)
	c.Set(fiber.HeaderContentSecurityPolicy, strings.Replace(policy, ownForms, ownForms+" "+origin, 1))
}

// Headers sets what every answer carries.
func Headers(issuer string) fiber.Handler {
	protect := Protection(issuer)
	return func(c *fiber.Ctx) error {
		protect(c)
		return c.Next()
	}
}

// Protection returns what sets them, for requests that could not be read and so meet no handler. issuer is the origin that
// signing out posts on to. Answers are private unless a handler says otherwise.
func Protection(issuer string) func(*fiber.Ctx) {
	policy := strings.Join([]string{
		"default-src 'none'", "style-src 'self'", "img-src 'self'", "script-src 'self'", "connect-src 'self'",
		strings.TrimSpace(ownForms + " " + issuer), "frame-ancestors 'none'", "base-uri 'none'",
	}, "; ")
	return func(c *fiber.Ctx) {
		c.Set(fiber.HeaderContentSecurityPolicy, policy)
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
		c.Set(fiber.HeaderReferrerPolicy, "same-origin") // no-referrer would take Origin from our own forms
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set("Cross-Origin-Opener-Policy", "same-origin")
		c.Set("Cross-Origin-Resource-Policy", "same-origin")
		c.Set(fiber.HeaderCacheControl, "no-store")
	}
}
