package docker

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestTheEndOfALongOutputIsKept(t *testing.T) {
	out := &tail{}
	for range 1000 {
		if _, err := out.Write(bytes.Repeat([]byte("x"), 1000)); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = out.Write([]byte("the reason"))
	if got := out.String(); len(got) != maxOutput || !strings.HasSuffix(got, "xthe reason") {
		t.Errorf("kept %d bytes ending in %q", len(got), got[len(got)-12:])
	}
	if cap(out.kept) > 8*maxOutput {
		t.Errorf("%d bytes are held", cap(out.kept))
	}
}

func TestOutputIsValidText(t *testing.T) {
	out := &tail{}
	_, _ = out.Write([]byte("caf\xe9 é"))
	if got := out.String(); got != "caf é" {
		t.Errorf("got %q", got)
	}
}

func TestTheBuildersErrorIsFoundInItsAnswer(t *testing.T) {
	var progress strings.Builder
	err := follow(strings.NewReader(`{"stream":"Step 1/2 : FROM x\n"}{"status":"Pulling"}{"errorDetail":{"message":"no"},"error":"no such file"}`), &progress, ErrBuild)
	if !errors.Is(err, ErrBuild) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
	if progress.String() != "Step 1/2 : FROM x\nPulling\n" {
		t.Errorf("progress was %q", progress.String())
	}
	if err := follow(strings.NewReader(`{"stream":"cut`), nil, ErrBuild); err == nil {
		t.Error("an answer cut short counts as a success")
	}
	if err := follow(strings.NewReader(`{"stream":"ok"}`), nil, ErrBuild); err != nil {
		t.Error(err)
	}
}
