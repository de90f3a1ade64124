package disk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"chatiere/tenants"
)

// processes reads in /proc what the sites' processes write. They are told apart by their users, which belong to one site
// each; the worker sees them because it has the machine's process ids (pid: host).
type processes struct {
	proc string // "/proc"

	mu    sync.Mutex
	last  map[process]int64 // what each had written when last seen
	total map[int]int64     // by user, since the first call
}

// maxSeen bounds the files without a name that are remembered: a process can hold a million.
const maxSeen = 100_000

// process names a process apart from a later one with its number.
type process struct {
	pid   int
	start string
}

// Written implements diskguard.Disk.
func (d *Disk) Written(ctx context.Context, sites []tenants.Site) (map[string]int64, error) {
	users := map[int]string{}
	for _, s := range sites {
		users[s.UID] = s.ID
	}
	byUser, err := d.processes.written(ctx, users)
	if err != nil {
		return nil, fmt.Errorf("asking which site writes: %w", err)
	}
	out := make(map[string]int64, len(byUser))
	for uid, bytes := range byUser {
		if id, ok := users[uid]; ok {
			out[id] = bytes
		}
	}
	return out, nil
}

func (p *processes) written(ctx context.Context, users map[int]string) (map[int]int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.last == nil
	if first {
		p.last, p.total = map[process]int64{}, map[int]int64{}
	}
	now := make(map[process]int64, len(p.last))
	var refused error
	err := p.each(ctx, func(pid, uid int) {
		if _, ours := users[uid]; !ours {
			return
		}
		key, bytes, err := p.io(pid)
		if errors.Is(err, fs.ErrPermission) {
			refused = err
		}
		if err != nil {
			return // it has ended
		}
		now[key] = bytes
		if before, known := p.last[key]; known {
			p.total[uid] += bytes - before
		} else if !first {
			p.total[uid] += bytes
		}
	})
	if err = errors.Join(err, refused); err != nil {
		return nil, err
	}
	p.last = now
	out := make(map[int]int64, len(users))
	for uid := range users {
		out[uid] = p.total[uid]
	}
	return out, nil
}

// each calls fn for every process with the user that it runs as.
func (p *processes) each(ctx context.Context, fn func(pid, uid int)) error {
	dir, err := os.Open(p.proc)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return eachEntry(ctx, dir, func(name string) error {
		var stat unix.Stat_t
		pid, notProcess := strconv.Atoi(name)
		if notProcess == nil && unix.Fstatat(int(dir.Fd()), name, &stat, 0) == nil {
			fn(pid, int(stat.Uid))
		}
		return nil
	})
}

// io returns what a process has caused to be written to disks, less what it took back before it got there.
func (p *processes) io(pid int) (process, int64, error) {
	dir := filepath.Join(p.proc, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return process{}, 0, err
	}
	// The name of the program may hold anything, a parenthesis as well; the start is the 20th field after it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return process{}, 0, fs.ErrInvalid
	}
	text, err := os.ReadFile(filepath.Join(dir, "io"))
	if err != nil {
		return process{}, 0, err
	}
	var written, cancelled int64
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		n, _ := strconv.ParseInt(string(value), 10, 64)
		switch string(name) {
		case "write_bytes":
			written = n
		case "cancelled_write_bytes":
			cancelled = n
		}
	}
	return process{pid, string(fields[19])}, written - cancelled, nil
}

// unlinked adds up the files without a name that a user's processes hold open on the file system.
func (p *processes) unlinked(ctx context.Context, uid int, dev uint64) (int64, error) {
	var bytes int64
	seen := map[inode]bool{}
	err := p.each(ctx, func(pid, owner int) {
		if owner != uid || len(seen) > maxSeen {
			return
		}
		dir, err := os.Open(filepath.Join(p.proc, strconv.Itoa(pid), "fd"))
		if err != nil {
			return // it has ended
		}
		defer func() { _ = dir.Close() }()
		_ = eachEntry(ctx, dir, func(name string) error { // as far as it goes: the process may end meanwhile
			var stat unix.Stat_t
			err := unix.Fstatat(int(dir.Fd()), name, &stat, 0)
			id := inode{stat.Dev, stat.Ino}
			if err == nil && stat.Dev == dev && stat.Nlink == 0 && stat.Mode&unix.S_IFMT == unix.S_IFREG && !seen[id] {
				seen[id] = true
				bytes += stat.Blocks * 512
			}
			return nil
		})
	})
	return bytes, err
}
