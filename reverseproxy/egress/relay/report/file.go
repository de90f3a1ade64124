package report

import (
	"maps"
	"regexp"
	"slices"

	"chatiere/reverseproxy/spoolfile"
)

// Format is what the files look like.
var Format = spoolfile.Format[Entry]{Prefix: "mail-", MaxFile: 32 << 20, MaxLine: 4096, Valid: Entry.valid}

// perFile is how many entries a file has at most, each shorter than a line may be.
const perFile = 5000

// Flush writes what was collected as one file; without entries it does nothing.
// What could not be written (a full disk) is kept for the next time.
func (w *Writer) Flush() error {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.mu.Lock()
	entries := slices.Collect(maps.Values(w.entries))
	w.entries = map[string]Entry{}
	w.mu.Unlock()
	for chunk := range slices.Chunk(entries, perFile) {
		if err := w.file.Write(chunk); err != nil {
			w.restore(entries)
			return err
		}
	}
	return nil
}

// restore puts entries back unless newer ones were added meanwhile.
func (w *Writer) restore(entries []Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range entries {
		w.add(e)
	}
}

var (
	idForm   = regexp.MustCompile(`^[a-z0-9.-]{3,60}$`)
	siteForm = regexp.MustCompile(`^s[a-z0-9]{9}$`)
	states   = []string{"waiting", "deferred", "sent", "bounced", Refused}
)

// Years that a database can hold.
const firstYear, lastYear = 2000, 9000

func (e Entry) valid() bool {
	for _, at := range []int{e.Accepted.Year(), e.Changed.Year()} {
		if at < firstYear || at > lastYear {
			return false
		}
	}
	if year := e.Next.Year(); !e.Next.IsZero() && (year < firstYear || year > lastYear) {
		return false
	}
	return idForm.MatchString(e.ID) && siteForm.MatchString(e.Site) && slices.Contains(states, e.State) &&
		e.Count >= 0 && e.Count < 1<<31 && e.Code >= 0 && e.Code < 1000 && len(e.To) <= 320 && len(e.Said) <= 1500 && len(e.Cause) <= 40
}
