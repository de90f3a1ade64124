package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"chatiere/panel/api"
	"chatiere/tenants/schedule"
)

// quietlyFailing is how many runs in a row may fail before it counts: a service that restarts spoils one or two.
const quietlyFailing = 3

// jobs tells of recurring work that keeps failing or has stopped to be done, which nobody would notice otherwise.
func (d Doctor) jobs(context.Context) []api.Check {
	var troubled []string
	outcomes := d.Jobs()
	for _, o := range outcomes {
		switch {
		case o.Failures >= quietlyFailing:
			troubled = append(troubled, fmt.Sprintf("%s failed %d times in a row: %s", o.Job, o.Failures, o.Error))
		case d.overdue(o):
			troubled = append(troubled, fmt.Sprintf("%s last ran at %s, due every %s", o.Job, o.Started.Format(time.RFC3339), o.Every))
		}
	}
	if len(troubled) > 0 {
		return []api.Check{red("jobs", strings.Join(troubled, "; "), "Look into the worker's log: docker logs --tail 100 chatiere-…-worker")}
	}
	return []api.Check{green("jobs", fmt.Sprintf("%d recurring jobs go well", len(outcomes)))}
}

// overdue leaves a slow run the time of two others.
func (d Doctor) overdue(o schedule.Outcome) bool {
	return !o.Started.IsZero() && d.Now().Sub(o.Started) > 3*o.Every+time.Minute
}
