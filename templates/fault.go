package templates

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is wrapped by every error about a manifest that has faults.
var ErrInvalid = errors.New("invalid template")

// ErrUnknown is returned for a template or version that the catalogue lacks.
var ErrUnknown = errors.New("unknown template")

// Fault is one thing wrong with a template, in words for whoever wrote it.
type Fault struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Path string `json:"path"`
	Got  string `json:"got"`
	Want string `json:"want"`
}

func (f Fault) String() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if f.Path != "" {
		place += ": " + f.Path
	}
	return fmt.Sprintf("%s: %s; expected %s", place, f.Got, f.Want)
}

// Faults is the error of templates that have at least one fault.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes errors.Is(err, ErrInvalid) hold.
func (f Faults) Unwrap() error { return ErrInvalid }

func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
	return f
}
