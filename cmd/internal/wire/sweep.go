package wire

import (
	"errors"
	"os"
	"path/filepath"

	"chatiere/cmd/internal/config"
	"chatiere/reverseproxy/atomicfile"
)

// unfinished are the files that a worker leaves half-written when it is killed: each takes its place by a rename.
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

// sweep removes what a killed predecessor left half-written. Whoever calls it holds the data root's lock, so nobody is
// writing.
func (w *Worker) sweep() error {
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
