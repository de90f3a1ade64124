package records

import (
	"errors"
	"fmt"
	"time"

	"chatiere/tenants"
)

var (
	// ErrOlder: the records are older than what was done on the data root.
	ErrOlder = errors.New("the records are older than this machine")
	// ErrNewer: the data root is older than the records, or another worker with a copy of it works by them.
	ErrNewer = errors.New("the records are newer than this machine")
	// ErrForeign: the records are another data root's.
	ErrForeign = errors.New("the records belong to another data root")
)

// ahead is how far the database may be ahead of the data root: a worker that was killed between the two writes.
const ahead = 1

// Mismatch is records and a data root that do not belong together.
type Mismatch struct {
	Kind           error // one of the errors above
	Database, Root tenants.Mark
}

// Unwrap returns the kind.
func (m *Mismatch) Unwrap() error { return m.Kind }

// Error describes the mismatch with both dates.
func (m *Mismatch) Error() string {
	d, r := m.Database, m.Root
	switch {
	case d.Installation == "":
		return fmt.Sprintf("%v: they bear no mark at all, while this data root was last worked on %s (mark %d)",
			m.Kind, Date(r.At), r.Count)
	case errors.Is(m.Kind, ErrForeign):
		return fmt.Sprintf("%v: a worker on %s last worked by them %s (mark %d); %s",
			m.Kind, d.Host, Date(d.At), d.Count, rootHistory(r))
	case errors.Is(m.Kind, ErrOlder):
		return fmt.Sprintf("%v: they were last written %s (mark %d), this data root was last worked on %s (mark %d)",
			m.Kind, Date(d.At), d.Count, Date(r.At), r.Count)
	}
	return fmt.Sprintf("%v: a worker on %s last worked by them %s (mark %d), on this data root work was last done %s (mark %d)",
		m.Kind, d.Host, Date(d.At), d.Count, Date(r.At), r.Count)
}

// Compare returns nil if records with one mark belong to a data root with the other, else a Mismatch.
func Compare(database, root tenants.Mark) error {
	kind := func() error {
		switch {
		case database.Installation == "" && root.Count > 0:
			return ErrOlder
		case database.Installation == "":
			return nil
		case database.Installation != root.Installation:
			return ErrForeign
		case database.Count < root.Count:
			return ErrOlder
		case database.Count > root.Count+ahead:
			return ErrNewer
		}
		return nil
	}()
	if kind == nil {
		return nil
	}
	return &Mismatch{kind, database, root}
}

func rootHistory(root tenants.Mark) string {
	if root.Installation == "" {
		return "nothing was ever done on this data root"
	}
	return fmt.Sprintf("this data root was last worked on %s (mark %d), by other records", Date(root.At), root.Count)
}

// Date writes an instant for people.
func Date(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// Advice returns what a person can do about an error of Compare.
func Advice(err error) string {
	const accept = "If they are the right ones on purpose (restored after a loss): chatiere records accept, as root on this server."
	switch {
	case errors.Is(err, ErrOlder):
		return "Nothing is done until this is settled; the sites go on as they are. Bring the newest records back. " + accept
	case errors.Is(err, ErrNewer), errors.Is(err, ErrForeign):
		return "Nothing is done here until this is settled. If another worker works by these records, stop this one. " + accept
	}
	return ""
}
