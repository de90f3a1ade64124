package templates

import (
	"cmp"
	"fmt"
	"slices"
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
	if len(c.Writable) > 0 {
		mounts = append(mounts, Mount{Source: paths.Data, Target: dataDir})
	}
	if c.Listen.Socket != "" {
		mounts = append(mounts, Mount{Source: paths.HTTP, Target: httpDir})
	}
	if r.template.Database.Engine != "none" {
		// The directory and not the socket, so that a restarted database is found again.
		mounts = append(mounts, Mount{Source: paths.Database, Target: databaseDir, ReadOnly: true})
	}
	slices.SortFunc(mounts, func(a, b Mount) int { return cmp.Compare(a.Target, b.Target) })
	return mounts
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
