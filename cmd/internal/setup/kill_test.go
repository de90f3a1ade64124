package setup_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/setup"
)

// The test binary is also the process that is killed: with these variables it runs one setup and dies by SIGKILL when
// it has told of the n-th thing it did.
const (
	rootVariable = "SETUP_TEST_ROOT"
	dieVariable  = "SETUP_TEST_DIE_AFTER"
)

func TestMain(m *testing.M) {
	if root := os.Getenv(rootVariable); root != "" {
		os.Exit(victim(root))
	}
	os.Exit(m.Run())
}

func victim(root string) int {
	left, err := strconv.Atoi(os.Getenv(dieVariable))
	if err != nil {
		return 2
	}
	t := tools()
	t.Progress = func(string) {
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}
	if _, err := setup.Run(context.Background(), victimWish(root), t); err != nil {
		return 1
	}
	return 0
}

func victimWish(root string) setup.Options {
	return setup.Options{Root: root, Instance: "lilas", Domain: "lilas.example"}
}

// killed runs the victim and reports whether it was killed rather than finished.
func killed(t *testing.T, root string, after int) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), rootVariable+"="+root, dieVariable+"="+strconv.Itoa(after))
	err := cmd.Run()
	if err == nil {
		return false
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the setup ended by itself: %v", err)
	}
	return true
}

func TestKillAtAnyPointLeavesWhatTheNextRunFinishes(t *testing.T) {
	points := 0
	for after := 1; ; after++ {
		root := newRoot(t)
		if !killed(t, root, after) {
			break
		}
		points++
		if err := os.WriteFile(filepath.Join(root, ".compose.env123"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		report := run(t, victimWish(root))
		c, err := config.Load(report.Config, nil)
		if err != nil {
			t.Fatalf("after %d: %v", after, err)
		}
		if faults := c.CheckFiles(); len(faults) > 0 {
			t.Errorf("after %d:\n%s", after, faults.Report())
		}
		assertNothingUnfinished(t, root)
	}
	if points < 40 {
		t.Errorf("only %d points were tried", points)
	}
}

func assertNothingUnfinished(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".compose.env") {
			t.Errorf("%s was left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoSetupsOfOneRootDoNotRunTogether(t *testing.T) {
	o := wish(t)
	inside := tools()
	var second error
	inside.Progress = func(string) {
		if second == nil {
			_, second = setup.Run(context.Background(), o, tools())
		}
	}
	if _, err := setup.Run(context.Background(), o, inside); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(second, setup.ErrBusy) {
		t.Errorf("the second got %v", second)
	}
}
