package catalogue_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"chatiere/tenants"
)

func TestAnImageIsBuiltWhenItIsMissingAndOnlyThen(t *testing.T) {
	e := newEngine()
	c := newCatalogue(t, e, nil)
	var progress strings.Builder
	ids, err := c.Images(t.Context(), "wordpress", "6.8", &progress)
	if err != nil || ids["app"] != digest("f00d") {
		t.Fatalf("got %q, %v", ids, err)
	}
	if len(e.builds) != 1 || e.builds[0].context == 0 || !strings.HasPrefix(e.builds[0].tag, "chatiere/wordpress-app:6.8-") {
		t.Fatalf("got %+v", e.builds)
	}
	if e.builds[0].args["BASE"] != digest("ba5e") {
		t.Errorf("built on %q, not on the base image there is", e.builds[0].args["BASE"])
	}
	if progress.String() != "Step 1/9\n" {
		t.Errorf("the builder's lines got lost: %q", progress.String())
	}
	if ids, err = c.Images(t.Context(), "wordpress", "6.8", io.Discard); err != nil || ids["app"] != digest("f00d") || len(e.builds) != 1 {
		t.Errorf("the second time: %q, %v, %d builds", ids, err, len(e.builds))
	}
}

func TestANewBaseMakesANewImage(t *testing.T) {
	e := newEngine()
	c := newCatalogue(t, e, nil)
	for _, base := range []string{"ba5e", "c0de"} {
		e.images[phpBase] = digest(base)
		if _, err := c.Images(t.Context(), "wordpress", "6.8", io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if len(e.builds) != 2 || e.builds[0].tag == e.builds[1].tag {
		t.Errorf("got %+v", e.builds)
	}
}

func TestTwoSitesOfANewVersionBuildItOnce(t *testing.T) {
	e := newEngine()
	c := newCatalogue(t, e, nil)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := c.Images(t.Context(), "wordpress", "6.8", io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if len(e.builds) != 1 {
		t.Errorf("%d builds", len(e.builds))
	}
}

// blocked is a build's output that nobody takes before it is closed.
type blocked struct{ begun, release chan struct{} }

func (b blocked) Write(p []byte) (int, error) {
	close(b.begun)
	<-b.release
	return len(p), nil
}

func TestWhoWaitsForAnothersBuildCanBeCancelled(t *testing.T) {
	c := newCatalogue(t, newEngine(), nil)
	output, built := blocked{make(chan struct{}), make(chan struct{})}, make(chan error, 1)
	go func() {
		_, err := c.Images(t.Context(), "wordpress", "6.8", output)
		built <- err
	}()
	<-output.begun
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() {
		_, err := c.Images(ctx, "wordpress", "6.8", io.Discard)
		waited <- err
	}()
	cancel()
	select {
	case err := <-waited:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("waiting ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("goes on waiting")
	}
	close(output.release)
	if err := <-built; err != nil {
		t.Error(err)
	}
}

func TestAnImageThatCannotBeHadIsAnError(t *testing.T) {
	broken := errors.New("the build broke")
	for _, c := range []struct {
		name  string
		want  error
		spoil func(*engine)
	}{
		{"no base image", tenants.ErrNotFound, func(e *engine) { delete(e.images, phpBase) }},
		{"an engine that does not answer", tenants.ErrUnavailable, func(e *engine) { e.down = "chatiere/" }},
		{"an engine that is gone halfway", tenants.ErrUnavailable, func(e *engine) { e.down = "chatiere/wordpress" }},
		{"a build that breaks", broken, func(e *engine) { e.broken = broken }},
	} {
		e := newEngine()
		c.spoil(e)
		if _, err := newCatalogue(t, e, nil).Images(t.Context(), "wordpress", "6.8", io.Discard); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(e.builds) != 0 {
			t.Errorf("%s: built nevertheless", c.name)
		}
	}
}

func TestWhatAnImageWouldBeIsToldWithoutBuilding(t *testing.T) {
	e := newEngine()
	c := newCatalogue(t, e, nil)
	told := func(want string) {
		t.Helper()
		if ids, err := c.Built(t.Context(), "wordpress", "6.8"); ids["app"] != want || (ids == nil) != (want == "") || err != nil {
			t.Errorf("got %q, %v; want %q", ids, err, want)
		}
	}
	told("")
	if _, err := c.Images(t.Context(), "wordpress", "6.8", io.Discard); err != nil {
		t.Fatal(err)
	}
	told(digest("f00d"))
	e.images[phpBase] = digest("c0de")
	told("")
	if len(e.builds) != 1 {
		t.Errorf("%d builds, want the one that was asked for", len(e.builds))
	}
	delete(e.images, phpBase)
	if _, err := c.Built(t.Context(), "wordpress", "6.8"); !errors.Is(err, tenants.ErrNotFound) {
		t.Errorf("no base image: %v", err)
	}
}
