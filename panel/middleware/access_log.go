package middleware

import (
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"
)

// AccessLog writes one line a request, without the query, which on some paths holds secrets. It calls the error handler
// itself, so that the line tells the status that was answered.
func AccessLog(log *slog.Logger, now func() time.Time) fiber.Handler {
	return func(c *fiber.Ctx) error {
		start := now()
		if err := c.Next(); err != nil {
			if err := c.App().ErrorHandler(c, err); err != nil {
				_ = c.SendStatus(fiber.StatusInternalServerError)
			}
		}
		log.Info("request", "request_id", RequestIDOf(c), "method", c.Method(), "path", c.Path(),
			"status", c.Response().StatusCode(), "took", now().Sub(start))
		return nil
	}
}
