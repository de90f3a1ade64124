package middleware

import "github.com/gofiber/fiber/v2"

// SameOrigin reports whether the browser says that one of our own pages (or its user, directly) made the request. Sites
// are siblings of the panel on one domain, so "same-site" is not enough. A browser too old to say is believed by Origin.
func SameOrigin(c *fiber.Ctx, origin string) bool {
	switch c.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		return c.Get(fiber.HeaderOrigin) == origin
	}
	return false
}
