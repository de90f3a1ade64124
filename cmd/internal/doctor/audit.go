package doctor

import (
	"context"
	"fmt"
	"time"

	"chatiere/panel/api"
)

func (d Doctor) audit(context.Context) []api.Check {
	const advice = "See which rows: chatiere audit verify. What to do then stands in docs/admin.md, “The audit trail”."
	t := d.Audit()
	switch {
	case t.Trouble != nil:
		return []api.Check{red("audit", t.Trouble.Error(), advice)}
	case !t.Report.Intact() && !t.At.IsZero():
		f := t.Report.Faults[0]
		return []api.Check{red("audit", fmt.Sprintf("%s: row %d of %s is the first", f.Kind, f.ID, f.At.Format(time.RFC3339)), advice)}
	case t.At.IsZero():
		return []api.Check{green("audit", "not verified since the worker's start")}
	}
	found := fmt.Sprintf("%d rows, intact at %s", t.Report.Rows, t.At.Format(time.RFC3339))
	if t.Head != "" {
		found += "; to be kept elsewhere: " + t.Head
	}
	return []api.Check{green("audit", found)}
}
