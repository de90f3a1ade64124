package middleware

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/gofiber/fiber/v2"
)

// HeaderRequestID tells people which line of the log is theirs.
const HeaderRequestID = "X-Request-Id"

type key int

const (
	requestIDKey key = iota
	languageKey
)

// RequestID gives each request its own id. One that came from outside is not believed.
func RequestID() fiber.Handler {
	return func(c *fiber.Ctx) error {
		var b [8]byte
		_, _ = rand.Read(b[:])
		id := hex.EncodeToString(b[:])
		c.Locals(requestIDKey, id)
		c.Set(HeaderRequestID, id)
		return c.Next()
	}
}

// RequestIDOf returns the id RequestID gave.
func RequestIDOf(c *fiber.Ctx) string {
	id, _ := c.Locals(requestIDKey).(string)
	return id
}
