//go:build !failpoint

package wire

import (
	"log/slog"

	"chatiere/tenants/operations"
)

// addFailpoints does nothing in a program that is installed somewhere.
func addFailpoints(*operations.Runner, *slog.Logger) {}
