package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"chatiere/reverseproxy/atomicfile"
)

// errMarkers is a document whose markers do not pair.
var errMarkers = errors.New("markers of the section do not pair")

// preamble is a document's beginning, if there is none yet.
const preamble = `# Figures

Measured by ` + "`make bench`" + `, each section by a run of its own; ratios are to the peer in the same run. Absolute
figures hold for the machine named; expect other ones on yours.
`

// writeSection replaces one section of a document and leaves the rest as it is. What people wrote between the sections
// stays.
func writeSection(path, name, text string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = []byte(preamble), nil
	}
	if err != nil {
		return err
	}
	whole, err := splice(string(data), name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(path, []byte(whole), 0o644)
}

// splice puts text between the markers of a section, at the document's end if it has none yet.
func splice(document, name, text string) (string, error) {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->\n"
	section := begin + strings.TrimSpace(text) + "\n" + end
	head, rest, found := strings.Cut(document, begin)
	if !found {
		if strings.Contains(document, end) {
			return "", fmt.Errorf("%w: %s", errMarkers, name)
		}
		return strings.TrimRight(document, "\n") + "\n\n" + section, nil
	}
	_, tail, found := strings.Cut(rest, end)
	if !found || strings.Contains(tail, begin) || strings.Contains(tail, end) {
		return "", fmt.Errorf("%w: %s", errMarkers, name)
	}
	return head + section + tail, nil
}
