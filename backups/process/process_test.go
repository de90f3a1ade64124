package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatiere/backups"
	"chatiere/backups/process"
)

// The tests' own program is the child.
func TestMain(m *testing.M) {
	if os.Getenv("BACKUP_CHILD") == "1" {
		os.Exit(process.Serve(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

type fixture struct {
	process.Runner
	place process.Place
	dir   string
}

func setUp(t *testing.T) fixture {
	t.Helper()
	t.Setenv("BACKUP_CHILD", "1")
	program, err := os.Executable()
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "page"), []byte("une page"), 0o640))
	return fixture{
		Runner: process.Runner{Command: []string{program}},
		place:  process.Place{Dir: filepath.Join(t.TempDir(), "repository"), Password: "secret"},
		dir:    dir,
	}
}

const trailer = "-- Dump completed on 2026-12-01\n"

func (f fixture) request(dump func(context.Context, io.Writer) ([]string, error)) process.SaveRequest {
	return process.SaveRequest{Dir: f.dir, Subject: "site:s1", Reason: "daily", Engine: "mariadb", Dump: dump}
}

func writes(text string) func(context.Context, io.Writer) ([]string, error) {
	return func(_ context.Context, w io.Writer) ([]string, error) {
		_, err := io.WriteString(w, text)
		return []string{"wp_log"}, err
	}
}

func TestASnapshotIsSavedListedReadAndRestored(t *testing.T) {
	f := setUp(t)
	if listed, err := f.List(t.Context(), f.place); err != nil || len(listed) != 0 {
		t.Errorf("before there is a repository: %v, %v", listed, err)
	}
	dump := strings.Repeat("INSERT INTO x VALUES (1);\n", 100_000) + trailer
	var seen backups.Progress
	s, err := f.Save(t.Context(), f.place, f.request(writes(dump)), func(p backups.Progress) { seen = p })
	must(t, err)
	if s.ID == "" || s.Files != 2 || s.Database.Locked[0] != "wp_log" || seen.Bytes == 0 {
		t.Errorf("saved %+v with the progress %+v", s, seen)
	}
	listed, err := f.List(t.Context(), f.place)
	must(t, err)
	if len(listed) != 1 || listed[0].ID != s.ID || listed[0].Database.Size != int64(len(dump)) {
		t.Errorf("listed: %+v", listed)
	}
	var out bytes.Buffer
	must(t, f.Dump(t.Context(), f.place, s.ID, &out))
	if out.String() != dump {
		t.Errorf("%d bytes of the dump came back, %d were saved", out.Len(), len(dump))
	}
	target := t.TempDir()
	must(t, f.Restore(t.Context(), f.place, s.ID, target, nil, nil))
	if p, err := os.ReadFile(filepath.Join(target, "page")); string(p) != "une page" {
		t.Errorf("restored %q, %v", p, err)
	}
	v, err := f.Verify(t.Context(), f.place, "", backups.Part{}, nil)
	if err != nil || v.Objects != 2 || v.DamagedCount != 0 {
		t.Errorf("verified: %+v, %v", v, err)
	}
	pinned, err := f.Pin(t.Context(), f.place, s.ID, true)
	must(t, err)
	left, err := f.Forget(t.Context(), f.place, []string{s.ID, "gone"})
	if err != nil || len(left) != 1 || left[0].ID != pinned.ID || !left[0].Pinned {
		t.Errorf("after forgetting an id that pinning has changed: %+v, %v", left, err)
	}
	left, err = f.Forget(t.Context(), f.place, []string{pinned.ID})
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// The pipe's end alone never says that a dump is whole.
func TestADumpThatFailsIsNoSnapshot(t *testing.T) {
	broken := errors.New("mariadb-dump: exit status 2")
	for name, dump := range map[string]func(context.Context, io.Writer) ([]string, error){
		"at once": func(context.Context, io.Writer) ([]string, error) { return nil, broken },
		"after the last row": func(_ context.Context, w io.Writer) ([]string, error) {
			_, _ = io.WriteString(w, trailer)
			return nil, broken
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			if _, err := f.Save(t.Context(), f.place, f.request(dump), nil); !errors.Is(err, broken) {
				t.Errorf("saving ended with %v, want the dump's own error", err)
			}
			if listed, err := f.List(t.Context(), f.place); err != nil || len(listed) != 0 {
				t.Errorf("listed: %v, %v", listed, err)
			}
		})
	}
	t.Run("cut off", func(t *testing.T) {
		f := setUp(t)
		if _, err := f.Save(t.Context(), f.place, f.request(writes("INSERT")), nil); !errors.Is(err, io.ErrUnexpectedEOF) && (err == nil || !strings.Contains(err.Error(), "without the line")) {
			t.Errorf("saving ended with %v", err)
		}
	})
}

func TestErrorsKeepTheirIdentity(t *testing.T) {
	f := setUp(t)
	s, err := f.Save(t.Context(), f.place, f.request(writes(trailer)), nil)
	must(t, err)
	other := f.place
	other.Password = "another"
	if _, err := f.List(t.Context(), other); !errors.Is(err, backups.ErrPassword) {
		t.Errorf("with another key: %v", err)
	}
	if err := f.Restore(t.Context(), f.place, "unknown", t.TempDir(), nil, nil); !errors.Is(err, backups.ErrNotFound) {
		t.Errorf("an unknown snapshot: %v", err)
	}
	if err := f.Dump(t.Context(), f.place, s.ID, failing{}); err == nil || !strings.Contains(err.Error(), "the reader is gone") {
		t.Errorf("a reader of the dump that fails: %v", err)
	}
	full := f.place
	full.Dir = "/dev/full/repository"
	if _, err := f.Save(t.Context(), full, f.request(writes(trailer)), nil); err == nil {
		t.Error("saved below a device")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("the reader is gone") }

func TestCancellingEndsTheChildAndListsNothing(t *testing.T) {
	f := setUp(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("somebody cancelled")
	began := make(chan struct{})
	go func() {
		<-began
		cancel(because)
	}()
	_, err := f.Save(ctx, f.place, f.request(func(ctx context.Context, w io.Writer) ([]string, error) {
		_, _ = io.WriteString(w, "INSERT")
		close(began)
		<-ctx.Done()
		return nil, ctx.Err()
	}), nil)
	if !errors.Is(err, because) {
		t.Errorf("saving ended with %v", err)
	}
	if children := childrenOf(t, os.Getpid()); len(children) != 0 {
		t.Errorf("processes %v are left", children)
	}
	if listed, err := f.List(t.Context(), f.place); err != nil || len(listed) != 0 {
		t.Errorf("listed: %v, %v", listed, err)
	}
}

// childrenOf returns the processes whose parent is pid.
func childrenOf(t *testing.T, pid int) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	var out []string
	for _, name := range stats {
		p, err := os.ReadFile(name)
		if err != nil {
			continue // ended meanwhile
		}
		after := string(p[bytes.LastIndexByte(p, ')')+2:])
		var state string
		var parent int
		if _, err := fmt.Sscan(after, &state, &parent); err == nil && parent == pid {
			out = append(out, name)
		}
	}
	return out
}

// A worker that is killed leaves no child behind, which would go on writing beside its successor's.
func TestAChildEndsWithItsParent(t *testing.T) {
	f := setUp(t)
	read, write, err := os.Pipe()
	must(t, err)
	out, theirs, err := os.Pipe()
	must(t, err)
	dumpRead, dumpWrite, err := os.Pipe()
	must(t, err)
	child, err := os.StartProcess(f.Command[0], f.Command, &os.ProcAttr{Files: []*os.File{read, theirs, os.Stderr, dumpRead}})
	must(t, err)
	_, err = fmt.Fprintf(write, `{"task":"save","place":{"dir":%q,"password":"x"},"subject":"site:s1","engine":"mariadb","part":{}}`+"\n", f.place.Dir)
	must(t, err)
	_, err = io.WriteString(dumpWrite, "INSERT") // it is in the midst of a dump
	must(t, err)
	must(t, write.Close()) // as the kernel does when the parent dies
	ended := make(chan *os.ProcessState, 1)
	go func() {
		state, _ := child.Wait()
		ended <- state
	}()
	select {
	case state := <-ended:
		if state.Success() {
			t.Errorf("the child ended with %v", state)
		}
	case <-time.After(30 * time.Second):
		_ = child.Signal(syscall.SIGKILL)
		t.Error("the child goes on")
	}
	_ = errors.Join(read.Close(), out.Close(), theirs.Close(), dumpRead.Close(), dumpWrite.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A cache would hide what has become of the storage.
func TestVerifyingReadsTheStorage(t *testing.T) {
	f := setUp(t)
	_, err := f.Save(t.Context(), f.place, f.request(writes(trailer)), nil)
	must(t, err)
	packs, err := filepath.Glob(filepath.Join(f.place.Dir, "p*", "*", "*"))
	must(t, err)
	if len(packs) == 0 {
		t.Fatal("the repository has no packs")
	}
	for _, pack := range packs {
		must(t, os.Truncate(pack, 8))
	}
	v, err := f.Verify(t.Context(), f.place, "", backups.Part{}, nil)
	if err != nil || v.DamagedCount == 0 {
		t.Errorf("verified %+v, %v; want damage", v, err)
	}
}

// The importer may be slower than the child, which is gone when the last bytes are still in the pipe.
func TestADumpIsReadToItsEndAfterTheChildHasEnded(t *testing.T) {
	f := setUp(t)
	dump := strings.Repeat("INSERT INTO x VALUES (1);\n", 3000) + trailer
	s, err := f.Save(t.Context(), f.place, f.request(writes(dump)), nil)
	must(t, err)
	slow := &slowReader{t: t}
	if err := f.Dump(t.Context(), f.place, s.ID, slow); err != nil || slow.got.String() != dump {
		t.Errorf("%d of %d bytes came, %v", slow.got.Len(), len(dump), err)
	}
}

// slowReader takes its first bytes when no child is left.
type slowReader struct {
	got bytes.Buffer
	t   *testing.T
}

func (s *slowReader) Write(p []byte) (int, error) {
	for s.got.Len() == 0 && len(childrenOf(s.t, os.Getpid())) > 0 {
		time.Sleep(time.Millisecond) // between two looks
	}
	return s.got.Write(p)
}

// A child that gives up ends the program that writes the dump, and its own error is the one to tell.
func TestADumpEndsWithItsChild(t *testing.T) {
	f := setUp(t)
	_, err := f.Save(t.Context(), f.place, f.request(writes(trailer)), nil)
	must(t, err)
	f.place.Password = "another"
	_, err = f.Save(t.Context(), f.place, f.request(func(ctx context.Context, _ io.Writer) ([]string, error) {
		<-ctx.Done() // it waits for a lock
		return nil, ctx.Err()
	}), nil)
	if !errors.Is(err, backups.ErrPassword) {
		t.Errorf("saving ended with %v", err)
	}
}
