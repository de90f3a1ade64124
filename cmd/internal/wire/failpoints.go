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
		if r.AtPoint = at; slots > 0 {
			r.Slots = operations.EachLane(slots)
		}
	}
}
