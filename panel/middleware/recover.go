package middleware

import (
	"errors"
	"log/slog"
	"runtime/debug"

	"github.com/gofiber/fiber/v2"
)

// ErrPanic is what a handler that panicked answers.
var ErrPanic = errors.New("handler panicked")

// Recover turns a panic into an error and keeps its trace for the log.
func Recover(log *slog.Logger) fiber.Handler {
	return func(c *fiber.Ctx) (err error) {
		defer func() {
			if r := recover(); r != nil {
				log.Error("handler panicked", "request_id", RequestIDOf(c), "panic", r, "stack", string(debug.Stack()))
				err = ErrPanic
			}
		}()
		return c.Next()
	}
}
