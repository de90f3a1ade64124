package doctor

import (
	"context"
	"fmt"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants/trail"
)

// Trail is what is known of the audit trail.
type Trail struct {
	At      time.Time // when it was last looked through; zero: not yet
	Report  trail.Report
	Head    string // the last day's, as it is written down
	Trouble error  // what the sealer met
}

func (d Doctor) audit(context.Context) []api.Check {
	const advice = "See which rows: chatiere audit verify. What to do then stands in docs/admin.md, “The audit trail”."
	t := d.Audit()
	switch {
	case t.Trouble != nil:
		return []api.Check{red("audit", t.Trouble.Error(), advice)}
	case !t.Report.Whole() && !t.At.IsZero():
		f := t.Report.Faults[0]
		return []api.Check{red("audit", fmt.Sprintf("%s: row %d of %s is the first", f.Kind, f.ID, f.At.Format(time.RFC3339)), advice)}
	case t.At.IsZero():
		return []api.Check{green("audit", "not looked through since the worker's start")}
	}
	found := fmt.Sprintf("%d rows, whole at %s", t.Report.Rows, t.At.Format(time.RFC3339))
	if t.Head != "" {
		found += "; to be kept elsewhere: " + t.Head
	}
	return []api.Check{green("audit", found)}
}
