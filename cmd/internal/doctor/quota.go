package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"chatiere/panel/api"
)

// Mounts are the mounts of this machine.
type Mounts func() ([]*mountinfo.Info, error)

// AllMounts reads the kernel's list.
func AllMounts() ([]*mountinfo.Info, error) { return mountinfo.GetMounts(nil) }

// projectQuotas are the mount options of ext4 and of xfs that count what lies below a directory and bound it.
var projectQuotas = []string{"prjquota", "pquota"}

// quota tells what keeps one site from filling the disk. Both answers are green: the watch holds either way (ADR 19), and
// a volunteer should know which bound it is.
func (d Doctor) quota(context.Context) []api.Check {
	all, err := d.Mounts()
	if err != nil {
		return []api.Check{amber("quota", err.Error(), "Nothing to do: the worker freezes the site that fills the disk whether this can be told or not.")}
	}
	m := mountOf(all, d.Root)
	if m == nil {
		return []api.Check{amber("quota", "no mount holds "+d.Root, "Look whether the data root is mounted.")}
	}
	const bound = "the worker freezes the site that grows before the reserve is touched"
	options := strings.FieldsFunc(m.Options+","+m.VFSOptions, func(r rune) bool { return r == ',' })
	for _, o := range projectQuotas {
		if slices.Contains(options, o) {
			return []api.Check{green("quota", fmt.Sprintf("%s has project quotas, which Chatière does not set: %s", m.FSType, bound))}
		}
	}
	return []api.Check{green("quota", fmt.Sprintf("%s has no project quotas here: %s", m.FSType, bound))}
}

// mountOf returns the mount that path lies on: the deepest, and of several on one point the last.
func mountOf(all []*mountinfo.Info, path string) (best *mountinfo.Info) {
	for _, m := range all {
		if path != m.Mountpoint && !strings.HasPrefix(path, strings.TrimSuffix(m.Mountpoint, "/")+"/") {
			continue
		}
		if best == nil || len(m.Mountpoint) >= len(best.Mountpoint) {
			best = m
		}
	}
	return best
}
