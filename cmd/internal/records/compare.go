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

// Compare says whether records with one mark belong to a data root with the other: nil, or one of the errors above,
// wrapped in words with both dates.
func Compare(database, root tenants.Mark) error {
	switch {
	case database.Installation == "" && root.Count > 0:
		return fmt.Errorf("%w: they bear no mark at all, while this data root was last worked on %s (mark %d)",
			ErrOlder, date(root.At), root.Count)
	case database.Installation == "":
		return nil
	case database.Installation != root.Installation:
		return fmt.Errorf("%w: a worker on %s last worked by them %s (mark %d); %s",
			ErrForeign, database.Host, date(database.At), database.Count, ownPast(root))
	case database.Count < root.Count:
		return fmt.Errorf("%w: they were last written %s (mark %d), this data root was last worked on %s (mark %d)",
			ErrOlder, date(database.At), database.Count, date(root.At), root.Count)
	case database.Count > root.Count+ahead:
		return fmt.Errorf("%w: a worker on %s last worked by them %s (mark %d), on this data root work was last done %s (mark %d)",
			ErrNewer, database.Host, date(database.At), database.Count, date(root.At), root.Count)
	}
	return nil
}

func ownPast(root tenants.Mark) string {
	if root.Installation == "" {
		return "nothing was ever done on this data root"
	}
	return fmt.Sprintf("this data root was last worked on %s (mark %d), by other records", date(root.At), root.Count)
}

func date(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// Advice says what a person can do about an error of Compare.
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
