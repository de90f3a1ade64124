package main

import (
	"bytes"
	"chatiere/cmd/internal/testbed"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// write tells the run to people. It writes whatever happened: a run with faults is the more interesting one.
func (r *harness) write(path string) error {
	var out bytes.Buffer
	if err := page.Execute(&out, r.figures()); err != nil {
		return err
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	r.logf("%s", path)
	return nil
}

// figures is what the report shows.
type figures struct {
	Date, Machine, Took, Command string
	Seed                         uint64
	Orphans, Lost                string
	Stuck, Unexcused             int
	Worker, Panel, Missed        int
	Histogram                    []bar
	Injected                     []injectedRow
	Wishes, Ends                 string
	Resent                       int
	Requests                     []requestRow
	Rate                         string
	Outages                      []string
	Failures, Faults, Notes      []string
}

type bar struct {
	Phase         string
	Worker, Panel int
	Bar           string
}

type injectedRow struct {
	Kind                 string
	Times, Hit, Ended    int
	Median, Slowest, Out string
}

type requestRow struct {
	Kind                   string
	Asked, Excused, Failed int
	Median, P99, Slowest   string
}

func (r *harness) figures() figures {
	f := figures{
		Date: r.began.UTC().Format("2 January 2006, 15:04 UTC"), Machine: testbed.Hardware(), Took: round(time.Since(r.began)), Seed: r.seed,
		Command: fmt.Sprintf("make soak SOAK_FLAGS=\"-seed %d\"", r.seed),
		Orphans: r.counted(r.orphans), Lost: r.counted(r.lost), Worker: r.landed["worker"], Panel: r.landed["panel"], Missed: r.missed,
		Wishes: counts(r.lives.wishes), Ends: counts(r.lives.ends), Resent: r.lives.retries, Faults: r.faults, Notes: r.notes,
	}
	for _, x := range r.faults {
		if strings.Contains(x, "needs a person") {
			f.Stuck++
		}
	}
	for _, p := range append(slices.Clone(phases), between) {
		n := r.hits["worker"][p]
		f.Histogram = append(f.Histogram, bar{p, n, r.hits["panel"][p], strings.Repeat("█", (n+1)/2)})
	}
	f.Injected = r.injectedRows()
	r.visitors(&f)
	return f
}

// counted tells what is only known at the end of a whole run.
func (r *harness) counted(n int) string {
	if !r.balanced {
		return "not counted: the run was cut short"
	}
	return strconv.Itoa(n)
}

func (r *harness) injectedRows() []injectedRow {
	took := r.recoveryTimes()
	var order []string
	rows := map[string]*injectedRow{}
	for _, i := range r.injects {
		row := rows[i.kind]
		if row == nil {
			row = &injectedRow{Kind: i.kind}
			rows[i.kind], order = row, append(order, i.kind)
		}
		row.Times++
		row.Hit += len(i.ops)
	}
	var out []injectedRow
	for _, kind := range order {
		row, t := rows[kind], took[kind]
		row.Ended, row.Median, row.Slowest = len(t), "–", "–"
		if len(t) > 0 {
			row.Median, row.Slowest = round(t[len(t)/2]), round(t[len(t)-1])
		}
		out = append(out, *row)
	}
	return out
}

func (r *harness) visitors(f *figures) {
	g := r.guests
	total := 0
	for _, q := range requests {
		median, p99, slowest := quantiles(g.took[q.kind])
		row := requestRow{Kind: q.kind, Asked: g.counts[q.kind], Median: round(median), P99: round(p99), Slowest: round(slowest)}
		for _, x := range g.failures {
			switch {
			case x.kind != q.kind:
			case x.excuse != "":
				row.Excused++
			default:
				row.Failed++
				f.Failures = append(f.Failures, fmt.Sprintf("%s %s, after %s: %s", x.from.UTC().Format("15:04:05.000"), x.kind, round(x.to.Sub(x.from)), x.said))
			}
		}
		total += row.Asked
		f.Unexcused += row.Failed
		f.Requests = append(f.Requests, row)
	}
	f.Rate = fmt.Sprintf("%d requests in %s: %.1f per second", total, round(g.ended.Sub(g.began)), float64(total)/g.ended.Sub(g.began).Seconds())
	for _, what := range []string{sitesDatabase, fullDisk} {
		n, all := r.journal.total(what)
		f.Outages = append(f.Outages, fmt.Sprintf("%s: %d times, %s together", what, n, round(all)))
	}
}

func counts(of map[string]int) string {
	var out []string
	for k, n := range of {
		out = append(out, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func round(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

var page = template.Must(template.New("soak").Parse(`# Soak

What a whole instance bears, measured: {{.Date}}, {{.Took}}, on {{.Machine}}.
Written by ` + "`{{.Command}}`" + `; the seed decides what is random in it, the machine's timing does the rest.

| | |
|---|---|
| orphans (things nobody's records know) | **{{.Orphans}}** |
| lost (things that are missing) | **{{.Lost}}** |
| stuck (operations that need a person) | **{{.Stuck}}** |
| failed requests of visitors without an excuse | **{{.Unexcused}}** |
| other faults, see below | **{{len .Faults}}** |

## Kills inside operations

{{.Worker}} SIGKILLs of the worker and {{.Panel}} of the panel landed inside at least one operation ({{.Missed}} more found none at work and
do not count). Each operation that was held at that instant is counted once, in the phase it had reached by the worker's
own marks; half of the kills came at any instant, half waited for the phase that was hit least.

| phase | by a kill of the worker | beside a kill of the panel | |
|---|---|---|---|
{{range .Histogram}}| {{.Phase}} | {{.Worker}} | {{.Panel}} | {{.Bar}} |
{{end}}
Sites were led through their lives beside each other meanwhile: {{.Wishes}}. A quarter of the wishes were cancelled on
their way. They ended: {{.Ends}}. {{.Resent}} wishes had to be sent again under their key.

## Failures and how long they took to heal

The time runs from the moment the thing was there again (process started, database answering, daemon answering, room
made) to the end of each operation that was in flight, and is told for the last failure that hit it.

| failure | times | operations in flight | ended after it | median | slowest |
|---|---|---|---|---|---|
{{range .Injected}}| {{.Kind}} | {{.Times}} | {{.Hit}} | {{.Ended}} | {{.Median}} | {{.Slowest}} |
{{end}}
Worker and panel are killed by kill(2) and started by ` + "`docker start`" + ` within .7 s, the databases and Keycloak by kill(2) and
brought back by Docker's restart policy alone; after a restart of the daemon the worker comes back by that policy too.

## Visitors of another site

{{.Rate}}. A request counts as failed when it has no answer within 30 s, another status, or another content.

| request | asked | excused | failed | median | 99th percentile | slowest |
|---|---|---|---|---|---|---|
{{range .Requests}}| {{.Kind}} | {{.Asked}} | {{.Excused}} | {{.Failed}} | {{.Median}} | {{.P99}} | {{.Slowest}} |
{{end}}
Excused is what needed something that was out of reach at that instant, or up to one second before: PHP page and POST need
the sites' database, the POST also room on the disk; a static file is never excused. Out of reach were:
{{range .Outages}}
- {{.}}{{end}}
{{if .Failures}}
Failed without an excuse:
{{range .Failures}}
- {{.}}{{end}}
{{end}}
## What was said

{{range .Notes}}- {{.}}
{{end}}
{{if .Faults}}## Faults

{{range .Faults}}- {{.}}
{{end}}{{end}}`))
