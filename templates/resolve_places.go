package templates

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// mounts are those of the contract with every native image; a container that
// writes nothing that lasts gets no data.
func (r resolver) mounts(c Container) []Mount {
	paths := r.values.Paths
	mounts := []Mount{
		{Source: paths.Hosts, Target: "/etc/hosts", ReadOnly: true},
		{Source: paths.Resolv, Target: "/etc/resolv.conf", ReadOnly: true},
		{Source: paths.Secrets, Target: secretsDir, ReadOnly: true},
		{Source: paths.Gate, Target: gateDir},
	}
	mounts = append(mounts, r.data(c)...)
	if c.Listen.Socket != "" {
		mounts = append(mounts, Mount{Source: paths.HTTP, Target: httpDir})
	}
	if r.template.Database.Engine == MariaDB {
		// The directory and not the socket, so that a restarted database is found again.
		mounts = append(mounts, Mount{Source: paths.Database, Target: databaseDir, ReadOnly: true})
	}
	slices.SortFunc(mounts, func(a, b Mount) int { return cmp.Compare(a.Target, b.Target) })
	return mounts
}

// data are the data of a container that writes something in some mode. What it may not write in the site's mode is mounted
// read-only over them; all of them, where nothing is left to write.
func (r resolver) data(c Container) []Mount {
	if len(c.Writable) == 0 {
		return nil
	}
	if !slices.ContainsFunc(c.Writable, func(w Writable) bool { return w.in(r.mode) }) {
		return []Mount{{Source: r.values.Paths.Data, Target: dataDir, ReadOnly: true}}
	}
	mounts := []Mount{{Source: r.values.Paths.Data, Target: dataDir}}
	for _, place := range r.template.boundPlaces() {
		if !place.in(r.mode) {
			source := path.Join(r.values.Paths.Data, strings.TrimPrefix(place.Path, dataDir))
			mounts = append(mounts, Mount{Source: source, Target: place.Path, ReadOnly: true})
		}
	}
	return mounts
}

// in reports whether the place is writable in a mode.
func (w Writable) in(mode string) bool { return len(w.Modes) == 0 || slices.Contains(w.Modes, mode) }

// boundPlaces are the places of all containers that are not writable in every mode, in the order of their paths. The same
// place has the same modes in each container.
func (t Template) boundPlaces() []Writable {
	var bound []Writable
	for _, container := range t.Containers {
		for _, place := range container.Writable {
			known := slices.ContainsFunc(bound, func(w Writable) bool { return w.Path == place.Path })
			if len(place.Modes) > 0 && !known {
				bound = append(bound, place)
			}
		}
	}
	slices.SortFunc(bound, func(a, b Writable) int { return cmp.Compare(a.Path, b.Path) })
	return bound
}

func (r resolver) tmpfs(c Container) []TmpfsMount {
	list := make([]TmpfsMount, 0, len(c.Tmpfs))
	for _, tmpfs := range c.Tmpfs {
		list = append(list, TmpfsMount{
			Target:  tmpfs.Path,
			Options: fmt.Sprintf("rw,nosuid,nodev,size=%d,mode=0700,uid=%d,gid=%d", tmpfs.Size, r.values.UID, r.values.UID),
		})
	}
	slices.SortFunc(list, func(a, b TmpfsMount) int { return cmp.Compare(a.Target, b.Target) })
	return list
}

func (r resolver) limits(own Limits) Limits {
	wanted := r.values.Limits
	return Limits{
		Memory: cmp.Or(wanted.Memory, own.Memory),
		Pids:   cmp.Or(wanted.Pids, own.Pids),
		CPUs:   cmp.Or(wanted.CPUs, own.CPUs),
	}
}
