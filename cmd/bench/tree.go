package main

import (
	"bytes"
	"chatiere/cmd/internal/testbed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// tree lists a process and all its descendants.
func tree(root int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := make(map[int][]int)
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		pid, parent, ok := parentOf(data)
		if ok {
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}

// parentOf reads /proc/PID/stat, where a name in brackets may hold anything.
func parentOf(stat []byte) (pid, parent int, ok bool) {
	open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 1 || shut < 0 {
		return 0, 0, false
	}
	fields := bytes.Fields(stat[shut+1:])
	if len(fields) < 2 {
		return 0, 0, false
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(stat[:open])))
	parent, parentErr := strconv.Atoi(string(fields[1]))
	return pid, parent, err == nil && parentErr == nil
}

// threads maps each thread of a process tree to the processor time it has had. The kernel counts that in nanoseconds,
// whatever its timer tick.
type threads map[int]time.Duration

func processorTime(root int) (threads, error) {
	pids, err := tree(root)
	if err != nil {
		return nil, err
	}
	out := make(threads)
	for _, pid := range pids {
		paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			var spent int64
			if _, err := fmt.Sscan(string(data), &spent); err != nil {
				return nil, fmt.Errorf("reading %s: %w", path, err)
			}
			tid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				return nil, err
			}
			out[tid] = time.Duration(spent)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("process %d has ended", root)
	}
	return out, nil
}

// errThreadGone: a thread ended within a measurement, so its time is not known.
var errThreadGone = errors.New("a thread ended while it was measured")

// since returns the processor time between two looks.
func (now threads) since(before threads) (time.Duration, error) {
	var sum time.Duration
	for tid, spent := range now {
		sum += spent - before[tid]
	}
	for tid := range before {
		if _, ok := now[tid]; !ok {
			return 0, errThreadGone
		}
	}
	return sum, nil
}

// proportional is the memory of a process tree in KiB, each shared page divided among those who share it.
func proportional(root int) (int64, error) {
	pids, err := tree(root)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, pid := range pids {
		kib, err := testbed.KiB(fmt.Sprintf("%d/smaps_rollup", pid), "Pss")
		if pid != root && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)) {
			continue // a child that has just ended
		}
		if err != nil {
			return 0, err
		}
		sum += kib
	}
	return sum, nil
}
