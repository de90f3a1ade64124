package main

import (
	"slices"
	"strings"
	"testing"

	"chatiere/panel/api"
)

const poll = "GET /api/v1/operations/01OP?wait=30s"

// stage is the operation with so many of its steps done.
func stage(state string, done int) api.Operation {
	op := queued
	op.State, op.Done, op.Steps = state, done, nil
	for i, name := range []string{"files", "database", "install"} {
		s := api.Step{Name: name, State: "waiting"}
		if i < done {
			s.State = "done"
		}
		op.Steps = append(op.Steps, s)
	}
	return op
}

// working is a panel where a wish for a site takes four looks.
func working(t *testing.T, end api.Operation) *standIn {
	t.Helper()
	return newStandIn(t, map[string][]reply{
		"POST /api/v1/sites":            one(stage("queued", 0)),
		"POST /api/v1/sites/s1/resume":  one(stage("queued", 0)),
		"POST /api/v1/associations":     one(stage("queued", 0)),
		"GET /api/v1/operations/01OP":   one(stage("running", 1)),
		poll:                            {{0, stage("running", 1)}, {0, stage("running", 1)}, {0, stage("running", 2)}, {0, end}},
		"GET /api/v1/sites/s7k2m9qx4p":  one(site),
		"GET /api/v1/associations/amap": one(association),
	})
}

func TestWaitingTellsEachStepOnceAndEndsWithTheSite(t *testing.T) {
	for args, path := range map[string]string{"site create --host amap --wait": "/api/v1/sites", "site resume s1 --wait": "/api/v1/sites/s1/resume"} {
		p := working(t, stage("done", 3))
		code, stdout, stderr := p.says(strings.Fields(args)...)
		if code != api.ExitOK || stdout != "s7k2m9qx4p  ready  https://amap.lilas.example:8443\n" {
			t.Errorf("%s ended with %d: %s", args, code, stdout)
		}
		if want := []string{"files (1/3)", "database (2/3)", "install (3/3)"}; !slices.Equal(fields(stderr), want) {
			t.Errorf("%s told %q, want %q", args, fields(stderr), want)
		}
		if want := []string{"POST " + path, poll, poll, poll, poll, "GET /api/v1/sites/s7k2m9qx4p"}; !slices.Equal(p.seen, want) {
			t.Errorf("%s asked for %q", args, p.seen)
		}
	}
}

func TestWaitingTellsHowFarTheRunningStepIs(t *testing.T) {
	part := func(done int64) api.Operation {
		op := stage("running", 1)
		op.Steps[1].Progress = &api.Progress{Done: done, Total: 4096, Unit: "bytes"}
		return op
	}
	p := newStandIn(t, map[string][]reply{
		"GET /api/v1/operations/01OP": one(stage("running", 1)),
		poll:                          {{0, part(1024)}, {0, part(1024)}, {0, part(2048)}, {0, stage("done", 3)}},
	})
	_, _, stderr := p.says("operation", "watch", "01OP")
	want := []string{"files (1/3)", "database: 25 % of 4096 bytes", "database: 50 % of 4096 bytes", "database (2/3)", "install (3/3)"}
	if !slices.Equal(fields(stderr), want) {
		t.Errorf("told %q, want %q", fields(stderr), want)
	}
}

func TestWaitingInJSONIsSilentUntilTheEnd(t *testing.T) {
	code, stdout, stderr := working(t, stage("done", 3)).says("site", "create", "--wait", "--json")
	if code != api.ExitOK || stderr != "" || !sameJSON(t, stdout, siteAnswer{site, "01OP"}) || !strings.Contains(stdout, `"operation": "01OP"`) {
		t.Errorf("ended with %d: %s%s", code, stdout, stderr)
	}
}

func TestWaitingForAnAssociationEndsWithIt(t *testing.T) {
	p := working(t, stage("done", 3))
	if code, stdout, _ := p.says("association", "create", "--name", "Amap", "--wait"); code != api.ExitOK || !slices.Equal(fields(stdout), []string{"amap Amap du Puy active"}) {
		t.Errorf("ended with %d: %s", code, stdout)
	}
}

func TestWatchingFollowsToTheEnd(t *testing.T) {
	p := working(t, stage("done", 3))
	code, stdout, stderr := p.says("operation", "watch", "01OP")
	if code != api.ExitOK || !slices.Equal(fields(stdout), []string{"01OP site.provision done", "STEP STATE FAILURES", "files done 0", "database done 0", "install done 0"}) {
		t.Errorf("ended with %d: %s", code, stdout)
	}
	if len(fields(stderr)) != 3 {
		t.Errorf("told %q", stderr)
	}
	over := newStandIn(t, map[string][]reply{"GET /api/v1/operations/01OP": one(stage("done", 3))})
	if code, _, _ := over.says("operation", "watch", "01OP"); code != api.ExitOK || len(over.seen) != 1 {
		t.Errorf("an operation that is over: %d after %q", code, over.seen)
	}
}

func TestAnOperationThatEndsOtherwiseIsToldByItsCode(t *testing.T) {
	for _, c := range []struct {
		state string
		code  int
		says  string
	}{
		{"undone", api.ExitFailed, "operation 01OP ended undone (image_missing): no base image"},
		{"stuck", api.ExitStuck, "operation 01OP needs a person (image_missing): no base image"},
	} {
		end := stage(c.state, 2)
		end.Problem, end.Detail = "image_missing", "no base image"
		for _, args := range []string{"site create --wait", "association create --wait", "operation watch 01OP"} {
			if code, stdout, stderr := working(t, end).says(strings.Fields(args)...); code != c.code || stdout != "" || !strings.Contains(stderr, "chatiere: "+c.says+"\n") {
				t.Errorf("%s of a %s operation ended with %d: %s%s", args, c.state, code, stdout, stderr)
			}
		}
	}
}

func TestAWaitDuringWhichThePanelFailsEndsWithItsCode(t *testing.T) {
	p := newStandIn(t, map[string][]reply{"POST /api/v1/sites": one(stage("queued", 0)), poll: {{502, nil}}})
	if code, _, stderr := p.says("site", "create", "--wait"); code != api.ExitUnavailable || !strings.Contains(stderr, "502") {
		t.Errorf("ended with %d: %s", code, stderr)
	}
}
