//go:build failpoint

package wire

import (
	"log/slog"
	"os"

	"chatiere/cmd/internal/failpoint"
	"chatiere/tenants/operations"
)

// addFailpoints lets a test stop operations at their failure points.
func addFailpoints(r *operations.Runner, log *slog.Logger) {
	if at, slots := failpoint.FromEnvironment(os.Getenv, log); at != nil {
		r.AtPoint, r.Slots = at, slots
	}
}
