package middleware

import (
	"log/slog"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
)

// AccessLog writes one line a request, without the query, which on some paths holds secrets. It calls the error handler
// itself, so that the line tells the status that was answered. What a machine asks for every few seconds (quiet) is only
// worth a line to those who debug.
func AccessLog(log *slog.Logger, now func() time.Time, quiet ...string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		start := now()
		if err := c.Next(); err != nil {
			if err := c.App().ErrorHandler(c, err); err != nil {
				_ = c.SendStatus(fiber.StatusInternalServerError)
			}
		}
		level := slog.LevelInfo
		if slices.Contains(quiet, c.Path()) {
			level = slog.LevelDebug
		}
		log.Log(c.UserContext(), level, "request", "request_id", RequestIDOf(c), "method", c.Method(), "path", c.Path(),
			"status", c.Response().StatusCode(), "took", now().Sub(start))
		return nil
	}
}
