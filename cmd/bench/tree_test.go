package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// burn starts a shell whose child uses a processor until it is killed.
func burn(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "(while :; do :; done) & wait")
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		killGroup(cmd.Process.Pid)
		cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestChildrensProcessorTimeCounts(t *testing.T) {
	pid := burn(t)
	before, err := processorTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	var spent time.Duration
	for deadline := time.Now().Add(20 * time.Second); spent < 50*time.Millisecond && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		now, err := processorTime(pid)
		if err != nil {
			t.Fatal(err)
		}
		if spent, err = now.since(before); err != nil {
			t.Fatal(err)
		}
	}
	if spent < 50*time.Millisecond {
		t.Errorf("%v: the child that burns is not counted", spent)
	}
	pids, err := tree(pid)
	if err != nil || len(pids) < 2 {
		t.Errorf("tree %v, %v", pids, err)
	}
}

func TestMemoryOfATreeIsMoreThanItsRoots(t *testing.T) {
	pid := burn(t)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		pids, err := tree(pid)
		if err == nil && len(pids) > 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no child")
		}
	}
	all, err := proportional(pid)
	own, ownErr := proportional(os.Getpid())
	if err != nil || ownErr != nil || all <= 0 || own <= 0 {
		t.Errorf("%d KiB, %v; ours %d KiB, %v", all, err, own, ownErr)
	}
}

func TestAnEndedProcessHasNoTime(t *testing.T) {
	cmd := exec.Command("/bin/true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got, err := processorTime(cmd.Process.Pid); err == nil {
		t.Errorf("%v", got)
	}
}

func TestNamesWithBracketsAreRead(t *testing.T) {
	pid, parent, ok := parentOf([]byte("42 (a) b) c)) S 7 42 42 0"))
	if pid != 42 || parent != 7 || !ok {
		t.Errorf("%d %d %v", pid, parent, ok)
	}
	for _, bad := range []string{"", "42", "x (a) S 7", "42 (a) S", "42 (a"} {
		if _, _, ok := parentOf([]byte(bad)); ok {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestMedianAndSpread(t *testing.T) {
	var samples []sample
	for _, cpu := range []time.Duration{9, 1, 5, 3, 7} {
		samples = append(samples, sample{cpu: cpu})
	}
	if mid, low, high := median(slices.Clone(samples)); mid != 5 || low != 1 || high != 9 {
		t.Errorf("%d %d %d", mid, low, high)
	}
}
