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
		Identify(c)
		return c.Next()
	}
}

// Identify gives a request its id where it has none yet: one that could not be read never meets RequestID.
func Identify(c *fiber.Ctx) {
	if RequestIDOf(c) != "" {
		return
	}
	var b [8]byte
	_, _ = rand.Read(b[:])
	id := hex.EncodeToString(b[:])
	c.Locals(requestIDKey, id)
	c.Set(HeaderRequestID, id)
}

// RequestIDOf returns the id RequestID gave.
func RequestIDOf(c *fiber.Ctx) string {
	id, _ := c.Locals(requestIDKey).(string)
	return id
}
