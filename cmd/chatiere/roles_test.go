package main

import (
	"path/filepath"
	"strings"
	"testing"

	"chatiere/panel/api"
)

// local are the verbs that need the configuration and no panel.
var local = []string{"proxy", "panel", "worker", "gateway", "demo", "health panel", "health worker", "health proxy", "config check"}

func TestAMissingConfigurationIsSaidInASentence(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "chatiere.yaml")
	for _, verb := range local {
		code, stdout, stderr := said(t, nil, append(strings.Fields(verb), "--config", missing)...)
		if code != api.ExitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 ||
			!strings.Contains(stderr, missing) || !strings.Contains(stderr, "chatiere setup makes one") {
			t.Errorf("%s ended with %d: %s%s", verb, code, stdout, stderr)
		}
	}
}

func TestAConfigurationWithFaultsIsRefusedBeforeAnythingStarts(t *testing.T) {
	faulty := configFile(t, "instance: lilas\ndomain: lilas.example\npublic_port: none\n")
	for _, verb := range local {
		code, _, stderr := said(t, []string{"CHATIERE_CONFIG=" + faulty}, strings.Fields(verb)...)
		if code != api.ExitInvalid || !strings.Contains(stderr, faulty+":3: public_port") || strings.Contains(stderr, "starting") {
			t.Errorf("%s ended with %d: %s", verb, code, stderr)
		}
	}
}

func TestARoleThatCannotWorkSaysWhyAndEndsWithOne(t *testing.T) {
	root := t.TempDir()
	file := configFile(t, "instance: lilas\ndomain: lilas.example\nroot: "+root+"\n")
	for _, verb := range []string{"panel", "worker"} { // both need a secret before all else
		code, stdout, stderr := said(t, nil, verb, "--config", file)
		if code != api.ExitFailed || stdout != "" || !strings.Contains(stderr, "reading secret") || !strings.Contains(stderr, `"role":"`+verb+`"`) {
			t.Errorf("%s ended with %d: %s%s", verb, code, stdout, stderr)
		}
	}
}
