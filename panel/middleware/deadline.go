package middleware

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Deadline gives the handler a context that ends with the server or after limit, since fasthttp's own knows no deadline
// and does not survive the handler.
func Deadline(base context.Context, limit time.Duration) fiber.Handler {
	return func(c *fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(base, limit)
		defer cancel()
		c.SetUserContext(ctx)
		return c.Next()
	}
}
