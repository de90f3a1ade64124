package main

import (
	"chatiere/cmd/internal/testbed"
	"fmt"
	"slices"
	"strings"
	"time"
)

func (f *sitesFigures) markdown(s *sites) string {
	var out strings.Builder
	fmt.Fprintf(&out, `## Sites

- Command: `+"`deploy/bench.sh sites`"+`, %s, %d s
- Machine: %s; load average before %s, after %s
- A fresh instance of the whole platform; every site is a real WordPress, autonome, on its own socket and database.

`, f.began.UTC().Format(time.RFC3339), int(f.took.Seconds()), testbed.Hardware(), f.loadBefore, f.loadAfter)
	f.single(&out)
	f.crowded(&out)
	f.panel(&out)
	return out.String()
}

func (f *sitesFigures) single(out *strings.Builder) {
	fmt.Fprintf(out, `### One site, alone

| MiB | proportional (PSS) | charged to its control group |
|---|---|---|
| cold: started, one page shown | %.1f | %.1f |
| %d s after %d requests (pages, search, feed, REST, a style sheet) | %.1f | %.1f |
| at one request a second (median over %d s) | %.1f | %.1f |

The other side of PSS: what sites share, the base image's libraries above all, is divided among them, so a site in a crowd
weighs less than one alone.

`, f.one.cold.proportional, f.one.cold.charged, int(rest.Seconds()), requestsBefore,
		f.one.after.proportional, f.one.after.charged, int(trickling.Seconds()), f.one.hot.proportional, f.one.hot.charged)
	sorted := slices.Sorted(slices.Values(f.clicks))
	var all []string
	for _, c := range f.clicks {
		all = append(all, fmt.Sprintf("%.2f", c.Seconds()))
	}
	fmt.Fprintf(out, "From the wish (`POST /api/v1/sites`) to a visitor's first 200 with the new site's title: median **%.2f s** (%s).\n\n",
		sorted[len(sorted)/2].Seconds(), strings.Join(all, ", "))
}

func (f *sitesFigures) crowded(out *strings.Builder) {
	c := f.crowd
	var rounds []string
	for _, r := range c.rounds {
		rounds = append(rounds, fmt.Sprintf("%.2f", r.Seconds()))
	}
	fmt.Fprintf(out, `### %[1]d sites at once

| | |
|---|---|
| containers that run | %[2]d |
| sites that showed their own title | %[3]d |
| all sites together, proportional | %.0[4]f MiB (%.1[5]f each) |
| the machine's available memory shrank by | %.0[6]f MiB, the databases' and the kernel's share included |
| from the first wish to the last site | %.0[7]f s |
| the reconciler's round | %[8]s s |

The platform beside them, MiB proportional:`, c.sites, c.running, c.own, c.memory, c.memory/float64(c.sites), c.available,
		c.provisioned.Seconds(), strings.Join(rounds, ", "))
	var sum float64
	for _, role := range roles {
		fmt.Fprintf(out, " %s %.0f,", role, c.platform[role])
		sum += c.platform[role]
	}
	fmt.Fprintf(out, " together %.0f.\n\n", sum)
}

func (f *sitesFigures) panel(out *strings.Builder) {
	fmt.Fprintf(out, `### The panel's pages with %d sites

Through the proxy over one TLS connection, %d looks at each, as a co-op administrator; ms.

| page | KiB | median | 95th percentile |
|---|---|---|---|
`, f.crowd.sites, requestsPerPage)
	for _, p := range f.pages {
		fmt.Fprintf(out, "| `%s` | %.0f | %.1f | %.1f |\n", p.path, float64(p.bytes)/kibPerMiB, float64(p.middle.Microseconds())/1000, float64(p.most.Microseconds())/1000)
	}
}
