package wire

import (
	"errors"
	"os"
	"path/filepath"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy/atomicfile"
)

// unfinished are the temporary files that a killed worker leaves: each would have been renamed when complete.
func unfinished(p config.Paths) []string {
	return []string{
		atomicfile.Unfinished(p.Egress("*")),
		atomicfile.Unfinished(p.Routes()),
		atomicfile.Unfinished(p.RecordsMark()),
		atomicfile.Unfinished(p.Platform()),
		atomicfile.Unfinished(p.DatabaseDeaths()),
		atomicfile.Unfinished(filepath.Join(p.AuditDir(), "*")),
	}
}

// removeUnfinished removes the temporary files of a killed predecessor. The caller holds the data root's lock, so nobody is
// writing them.
func (w *Worker) removeUnfinished() error {
	var faults []error
	for _, pattern := range unfinished(w.config.Paths()) {
		found, err := filepath.Glob(pattern)
		faults = append(faults, err)
		for _, path := range found {
			faults = append(faults, os.Remove(path))
		}
	}
	return errors.Join(faults...)
}
