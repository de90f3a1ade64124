package main

import (
	"context"
	"strings"
	"testing"

	"chatiere/panel/api"
)

// refused answers the list of templates with an error.
func refused(t *testing.T, e api.Error) *standIn {
	t.Helper()
	return newStandIn(t, map[string][]reply{"GET /api/v1/templates": {{418, api.Envelope{Error: e}}}})
}

func TestEveryErrorOfThePanelHasItsExitCode(t *testing.T) {
	for code, want := range map[api.Code]int{
		api.CodeInternal: 1, api.CodeMethod: 1, "of_a_later_version": 1,
		api.CodeInvalid: 3, api.CodeMalformed: 3, api.CodeTooLarge: 3,
		api.CodeNotFound:        4,
		api.CodeUnauthenticated: 5, api.CodeForbidden: 5, api.CodeStepUp: 5, api.CodeStaleForm: 5,
		api.CodeConflict: 6, api.CodeBusy: 6, api.CodeTooLate: 6,
		api.CodeTooMany: 7, api.CodeDiskFull: 7, api.CodeUnavailable: 7,
	} {
		got, stdout, stderr := refused(t, api.Error{Code: code, Message: "This is not possible."}).says("template", "list")
		if got != want || stdout != "" || stderr != "chatiere: This is not possible.\n" {
			t.Errorf("%s ended with %d, want %d: %s%s", code, got, want, stdout, stderr)
		}
	}
}

func TestEveryFaultIsNamedWithAProposal(t *testing.T) {
	_, _, stderr := refused(t, api.Error{Code: api.CodeInvalid, Message: "Two things.", Faults: []api.Fault{
		{Field: "host", Code: "taken", Proposal: "amap-2.lilas.example"}, {Field: "name", Code: "missing"},
	}}).says("template", "list")
	if want := "chatiere: Two things.\n  host: taken (free: amap-2.lilas.example)\n  name: missing\n"; stderr != want {
		t.Errorf("said %q, want %q", stderr, want)
	}
}

func TestAPanelThatDoesNotAnswerEndsWithSeven(t *testing.T) {
	code, _, stderr := said(t, []string{"CHATIERE_SOCKET=" + shortDir(t) + "/panel.sock"}, "doctor")
	if code != api.ExitUnavailable || !strings.Contains(stderr, "no panel answers") {
		t.Errorf("ended with %d: %s", code, stderr)
	}
}

func TestACommandThatIsBrokenOffDoesNotBlameThePanel(t *testing.T) {
	p := newStandIn(t, map[string][]reply{"GET /api/v1/templates": one(nil)})
	ctx, leave := context.WithCancel(t.Context())
	leave()
	var out, err strings.Builder
	code := run(ctx, []string{"template", "list"}, []string{"CHATIERE_SOCKET=" + p.socket}, strings.NewReader(""), &out, &err)
	if code != api.ExitFailed || strings.Contains(err.String(), "no panel") {
		t.Errorf("ended with %d: %s", code, err.String())
	}
}

func TestACommandLineThatMakesNoSenseEndsWithTwoAndAsksNobody(t *testing.T) {
	for _, line := range []string{
		"dance", "site dance", "operation show", "association show a b", "site list extra", "site create --nope", "token create --days many",
		"template check", "template check a b", "token revoke", "doctor extra", "break-glass extra", "panel extra", "completion fsh", "completion bash extra",
		"health", "config dance", "--nope",
	} {
		p := newStandIn(t, nil)
		code, stdout, stderr := p.says(strings.Fields(line)...)
		if code != api.ExitUsage || stdout != "" || !strings.HasPrefix(stderr, "chatiere: ") || strings.Contains(stderr, "usage") || len(p.seen) > 0 {
			t.Errorf("%q ended with %d: %s%s", line, code, stdout, stderr)
		}
	}
}

func TestAGroupAloneTellsItsVerbs(t *testing.T) {
	for _, c := range []struct{ line, verb string }{
		{"", "break-glass"}, {"site", "suspend"}, {"operation", "watch"}, {"association", "create"}, {"token", "revoke"}, {"template", "check"}, {"site create --help", "--admin-email"},
	} {
		if code, stdout, stderr := said(t, nil, strings.Fields(c.line)...); code != api.ExitOK || !strings.Contains(stdout, c.verb) || stderr != "" {
			t.Errorf("%q ended with %d: %s%s", c.line, code, stdout, stderr)
		}
	}
	if _, stdout, _ := said(t, nil, "--help"); strings.Contains(stdout, "demo") {
		t.Error("the demo's verb is shown to everybody")
	}
}

func TestCompletionScriptsArePrinted(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, stdout, stderr := said(t, nil, "completion", shell); code != api.ExitOK || !strings.Contains(stdout, "__chatiere") || len(stdout) < 1000 || stderr != "" {
			t.Errorf("%s ended with %d: %d bytes, %s", shell, code, len(stdout), stderr)
		}
	}
	if code, stdout, _ := said(t, nil, "__complete", "site", "re"); code != api.ExitOK || !strings.Contains(stdout, "restore") || !strings.Contains(stdout, "resume") {
		t.Errorf("completing ended with %d: %s", code, stdout)
	}
}
