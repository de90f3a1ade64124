package supervise_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatiere/cmd/siteinit/internal/supervise"
)

// stage runs children whose output goes to one file.
type stage struct {
	dir string
	out *os.File
}

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	return &stage{dir: dir, out: out}
}

func (s *stage) run(ctx context.Context, grace time.Duration, processes ...supervise.Process) int {
	return supervise.Run(ctx, supervise.Options{
		Processes: processes, Grace: grace, Stdout: s.out, Stderr: s.out, Log: slog.New(slog.DiscardHandler),
	})
}

func (s *stage) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *stage) await(t *testing.T, word string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(s.text(t), word); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %q in %q", word, s.text(t))
		}
	}
}

func sh(name, script string, stop syscall.Signal) supervise.Process {
	return supervise.Process{Name: name, Command: []string{"sh", "-c", script}, Stop: stop}
}

// polite says that it runs, and on the signal that it ends.
func polite(name, signal string, stop syscall.Signal) supervise.Process {
	return sh(name, `trap 'echo `+name+` got `+signal+`; exit 0' `+signal+`; echo `+name+` runs; while :; do sleep 0.01; done`, stop)
}

func TestTheFirstToDieDecidesTheCodeAndTheOthersAreStopped(t *testing.T) {
	s := newStage(t)
	code := s.run(t.Context(), 10*time.Second,
		polite("first", "QUIT", syscall.SIGQUIT),
		sh("second", "until grep -q 'first runs' "+s.out.Name()+"; do sleep 0.01; done; exit 7", syscall.SIGTERM))
	if code != 7 {
		t.Errorf("code %d", code)
	}
	if !strings.Contains(s.text(t), "first got QUIT") {
		t.Errorf("%s", s.text(t))
	}
}

// waits has the second process wait for a socket of the first.
func (s *stage) waits(ctx context.Context, patience time.Duration, socket string, first, second supervise.Process) int {
	second.After = []string{socket}
	return supervise.Run(ctx, supervise.Options{
		Processes: []supervise.Process{first, second}, Grace: 10 * time.Second, Patience: patience, Stdout: s.out, Stderr: s.out,
		Log: slog.New(slog.DiscardHandler),
	})
}

func TestAProcessWaitsForTheSocketOfAnother(t *testing.T) {
	s := newStage(t)
	socket := filepath.Join(s.dir, "x.sock")
	if err := os.WriteFile(socket, nil, 0o600); err != nil { // a file is no socket
		t.Fatal(err)
	}
	done := make(chan int, 1)
	go func() {
		done <- s.waits(t.Context(), time.Minute, socket, polite("first", "QUIT", syscall.SIGQUIT), sh("second", "echo second runs; exit 7", syscall.SIGTERM))
	}()
	s.await(t, "first runs")
	time.Sleep(50 * time.Millisecond) // not a wait: in this time it must not start
	if strings.Contains(s.text(t), "second runs") {
		t.Fatal("the second process did not wait")
	}
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if code := <-done; code != 7 {
		t.Errorf("code %d", code)
	}
}

func TestASocketIsNotWaitedForForEver(t *testing.T) {
	s := newStage(t)
	code := s.waits(t.Context(), 20*time.Millisecond, filepath.Join(s.dir, "none"), polite("first", "QUIT", syscall.SIGQUIT), sh("second", "exit 7", syscall.SIGTERM))
	if code != 7 {
		t.Errorf("code %d", code)
	}
}

func TestNobodyWaitsForTheSocketOfTheDeadOrAfterAStop(t *testing.T) {
	s := newStage(t)
	second := sh("second", "echo second runs; exit 7", syscall.SIGTERM)
	if code := s.waits(t.Context(), time.Minute, filepath.Join(s.dir, "none"), sh("first", "exit 5", syscall.SIGQUIT), second); code != 5 {
		t.Errorf("the first died: code %d", code)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- s.waits(ctx, time.Minute, filepath.Join(s.dir, "none"), polite("first", "QUIT", syscall.SIGQUIT), second)
	}()
	s.await(t, "first runs")
	stop()
	if code := <-done; code != 0 || !strings.Contains(s.text(t), "first got QUIT") || strings.Contains(s.text(t), "second runs") {
		t.Errorf("stopped: code %d, %s", code, s.text(t))
	}
}

func TestADeathBySignalGivesItsNumber(t *testing.T) {
	s := newStage(t)
	if code := s.run(t.Context(), time.Second, sh("one", "kill -SEGV $$", syscall.SIGTERM)); code != 128+int(syscall.SIGSEGV) {
		t.Errorf("code %d", code)
	}
}

func TestStoppingGoesInReverseOrderWithEachOnesSignal(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- s.run(ctx, 10*time.Second,
			polite("fpm", "QUIT", syscall.SIGQUIT), polite("web", "USR1", syscall.SIGUSR1), polite("last", "TERM", syscall.SIGTERM))
	}()
	for _, name := range []string{"fpm", "web", "last"} {
		s.await(t, name+" runs")
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("code %d", code)
	}
	text := s.text(t)
	order := []int{
		strings.Index(text, "last got TERM"), strings.Index(text, "web got USR1"), strings.Index(text, "fpm got QUIT"),
	}
	if order[0] < 0 || order[1] < order[0] || order[2] < order[1] {
		t.Errorf("order %v in\n%s", order, text)
	}
}

func TestWhoDoesNotStopInTimeIsKilledWithItsChildren(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- s.run(ctx, 100*time.Millisecond,
			polite("fpm", "QUIT", syscall.SIGQUIT),
			sh("deaf", `trap '' TERM; sleep 1000 & echo child $!; echo deaf runs; while :; do sleep 0.01; done`, syscall.SIGTERM))
	}()
	s.await(t, "deaf runs")
	s.await(t, "fpm runs")
	start := time.Now()
	cancel()
	if code := <-done; code != 137 {
		t.Errorf("code %d", code)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	_, rest, _ := strings.Cut(s.text(t), "child ")
	pid, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the deaf one's child %d lives on", pid)
		}
	}
}

func alive(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestOrphansAreReaped(t *testing.T) {
	if err := supervise.AdoptOrphans(); err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	defer func() { cancel(); <-done }()
	go func() {
		// Each inner shell leaves a child behind that ends a moment later.
		done <- s.run(ctx, 5*time.Second, sh("parent",
			`for i in 1 2 3 4 5; do sh -c 'sleep 0.05 & echo orphan $!'; done; echo left; while :; do sleep 0.01; done`,
			syscall.SIGKILL))
	}()
	s.await(t, "left")
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		gone := 0
		for line := range strings.Lines(s.text(t)) {
			if pid, ok := strings.CutPrefix(strings.TrimSpace(line), "orphan "); ok {
				if _, err := os.Stat("/proc/" + pid); err != nil {
					gone++
				}
			}
		}
		if gone == 5 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of 5 orphans reaped", gone)
		}
	}
}

func TestAProgramThatIsNotThereStopsTheOthers(t *testing.T) {
	s := newStage(t)
	waits := sh("one", `trap 'echo one got TERM; exit 0' TERM; echo one runs; while :; do sleep 0.01; done`, syscall.SIGTERM)
	code := s.run(t.Context(), 5*time.Second, waits,
		supervise.Process{Name: "two", Command: []string{"/nonexistent"}, Stop: syscall.SIGTERM})
	if code != 127 {
		t.Errorf("code %d", code)
	}
	if code := s.run(t.Context(), time.Second, supervise.Process{Name: "none"}); code != 127 {
		t.Errorf("no command: code %d", code)
	}
}

func TestChildrenThatEndAtOnceAreNotLost(t *testing.T) {
	s := newStage(t)
	for i := range 50 {
		if code := s.run(t.Context(), time.Second, sh("short", "exit 3", syscall.SIGTERM)); code != 3 {
			t.Fatalf("run %d: code %d", i, code)
		}
	}
}

func TestSignalsByName(t *testing.T) {
	for name, want := range map[string]syscall.Signal{
		"": syscall.SIGTERM, "QUIT": syscall.SIGQUIT, "SIGQUIT": syscall.SIGQUIT, "winch": syscall.SIGWINCH, "NOPE": 0,
	} {
		if got, err := supervise.ParseSignal(name); got != want || (want == 0) != (err != nil) {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
}
