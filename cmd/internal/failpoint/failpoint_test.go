package failpoint_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"chatiere/cmd/internal/failpoint"
	"chatiere/tenants/operations"
)

const (
	kind = "site.provision"
	step = "install"
)

// at returns the function for failure points of a directory.
func at(t *testing.T, dir string) func(context.Context, operations.Operation, string, operations.Point) {
	t.Helper()
	at, slots := failpoint.FromEnvironment(environment{failpoint.Variable: dir}.get, slog.New(slog.DiscardHandler))
	if at == nil || slots < 2 {
		t.Fatalf("%d slots: several operations could not stand still beside each other", slots)
	}
	return at
}

type environment map[string]string

func (e environment) get(name string) string { return e[name] }

func TestWhereOnlyTheTraceIsWantedAsManyAreWorkedOnAsInAnyInstallation(t *testing.T) {
	env := environment{failpoint.Variable: t.TempDir(), failpoint.SlotsVariable: "0"}
	if at, slots := failpoint.FromEnvironment(env.get, slog.New(slog.DiscardHandler)); at == nil || slots != 0 {
		t.Errorf("%d slots, want those of the runner", slots)
	}
}

func arm(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func there(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func operation(id string) operations.Operation { return operations.Operation{ID: id, Kind: kind} }

// passage is one operation's way past a point.
type passage struct {
	kill   context.CancelFunc
	passed chan struct{}
}

func pass(t *testing.T, at func(context.Context, operations.Operation, string, operations.Point), id string) passage {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	p := passage{kill, make(chan struct{})}
	go func() {
		at(ctx, operation(id), step, operations.AfterDo)
		close(p.passed)
	}()
	synctest.Wait()
	return p
}

// held reports whether the operation stands still.
func (p passage) held() bool {
	select {
	case <-p.passed:
		return false
	default:
		return true
	}
}

func TestNoInstallationHoldsAnything(t *testing.T) {
	at, slots := failpoint.FromEnvironment(func(string) string { return "" }, slog.New(slog.DiscardHandler))
	if at != nil || slots != 0 {
		t.Errorf("%d slots without a directory", slots)
	}
}

func TestAnArmedPointHoldsOneOperationUntilItIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		at, name := at(t, dir), failpoint.Name(kind, step, operations.AfterDo)
		arm(t, dir, name)
		first := pass(t, at, "01A")
		if !first.held() {
			t.Error("the first operation was not held")
		}
		if there(dir, name) || !there(dir, name+"~01A.held") {
			t.Error("nothing tells who is held")
		}
		if second := pass(t, at, "01B"); second.held() {
			t.Error("a second operation was held by a point that was armed once")
		}
		first.kill()
		synctest.Wait()
		if first.held() {
			t.Error("the operation stands still after its end")
		}
	})
}

func TestAPointArmedForAllHoldsEachOperationOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		at, name := at(t, dir), failpoint.Name(kind, step, operations.AfterDo)
		arm(t, dir, name+".all")
		for _, id := range []string{"01A", "01B"} {
			p := pass(t, at, id)
			if !p.held() || !there(dir, name+"~"+id+".held") {
				t.Errorf("operation %s was not held", id)
			}
			p.kill()
			synctest.Wait()
			if again := pass(t, at, id); again.held() {
				t.Errorf("operation %s was held again after its kill: nobody could carry it on", id)
			}
		}
		if !there(dir, name+".all") {
			t.Error("the point is not armed any more")
		}
	})
}

func TestTheLastPointIsLeftWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		at := at(t, dir)
		pass(t, at, "01A")
		for _, p := range []operations.Point{operations.BeforeCommit, operations.AfterCommit} {
			at(t.Context(), operation("01B"), step, p)
		}
		for op, want := range map[string]operations.Point{"01A": operations.AfterDo, "01B": operations.AfterCommit} {
			got, err := os.ReadFile(filepath.Join(dir, failpoint.Trace, op))
			if err != nil || string(got) != failpoint.Name(kind, step, want) {
				t.Errorf("operation %s was last at %q, %v", op, got, err)
			}
		}
	})
}

func TestAPointIsArmedForOneKindOneStepAndOneInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		at := at(t, dir)
		for _, other := range []string{
			failpoint.Name("site.delete", step, operations.AfterDo), failpoint.Name(kind, "route", operations.AfterDo),
			failpoint.Name(kind, step, operations.BeforeDo), failpoint.Name(kind, step, operations.AfterCommit),
		} {
			arm(t, dir, other)
			arm(t, dir, other+".all")
		}
		p := pass(t, at, "01A")
		if p.held() {
			t.Error("another point's file held the operation")
		}
		p.kill()
	})
}
