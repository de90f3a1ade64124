package apiclient_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
)

// configured writes an instance's configuration and starts its panel.
func configured(t *testing.T, dir, root, name string) string {
	t.Helper()
	listen(t, config.PathsBelow(root).CLISocket(), named(name))
	return write(t, filepath.Join(dir, name+".yaml"), "instance: "+name+"\ndomain: "+name+".example\nroot: "+root+"\n")
}

func TestTheFirstPlaceThatIsNamedCounts(t *testing.T) {
	dir := place(t)
	address, ca := public(t, named("url"))
	socket, hinted := filepath.Join(dir, "a.sock"), filepath.Join(dir, "b.sock")
	listen(t, socket, named("socket"))
	listen(t, hinted, named("hint"))
	listen(t, config.PathsBelow(filepath.Join(dir, "root-1")).CLISocket(), named("machine"))
	all := apiclient.Target{
		Socket: socket, URL: address, Token: "cht_secret", CA: ca, Config: configured(t, dir, filepath.Join(dir, "c"), "config"),
		Hint: write(t, filepath.Join(dir, "hint"), hinted+"\n"), Roots: filepath.Join(dir, "root-*"),
	}
	for _, c := range []struct {
		want, token string
		forget      func(p *apiclient.Target)
	}{
		{"socket", "", func(*apiclient.Target) {}},
		{"url", "Bearer cht_secret", func(p *apiclient.Target) { p.Socket = "" }},
		{"config", "", func(p *apiclient.Target) { p.URL = "" }},
		{"hint", "", func(p *apiclient.Target) { p.Config = "" }},
		{"machine", "", func(p *apiclient.Target) { p.Hint = "" }},
	} {
		c.forget(&all)
		client, err := apiclient.Connect(all)
		if err != nil {
			t.Fatalf("%s: %v", c.want, err)
		}
		if got := asked(t, client); got.Name != c.want || got.ID != c.token {
			t.Errorf("got %+v, want %s", got, c.want)
		}
	}
}

func TestTheEnvironmentOverridesTheConfiguration(t *testing.T) {
	dir := place(t)
	file := configured(t, dir, filepath.Join(dir, "a"), "file")
	other := filepath.Join(dir, "b")
	listen(t, config.PathsBelow(other).CLISocket(), named("environment"))
	client, err := apiclient.Connect(apiclient.Target{Config: file, Env: []string{"CHATIERE_ROOT=" + other}})
	if err != nil {
		t.Fatal(err)
	}
	if got := asked(t, client).Name; got != "environment" {
		t.Errorf("got the panel of the %s", got)
	}
}

func TestAConfigurationThatCannotBeReadIsNotPassedOver(t *testing.T) {
	dir := place(t)
	listen(t, config.PathsBelow(filepath.Join(dir, "root")).CLISocket(), named("another"))
	_, err := apiclient.Connect(apiclient.Target{Config: filepath.Join(dir, "absent.yaml"), Roots: filepath.Join(dir, "root*")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestAHintAtADeadPanelIsPassedOver(t *testing.T) {
	dir := place(t)
	dead := filepath.Join(dir, "dead.sock")
	left(t, dead)
	listen(t, config.PathsBelow(filepath.Join(dir, "root")).CLISocket(), named("machine"))
	client, err := apiclient.Connect(apiclient.Target{Hint: write(t, filepath.Join(dir, "hint"), dead), Roots: filepath.Join(dir, "root*")})
	if err != nil {
		t.Fatal(err)
	}
	if got := asked(t, client).Name; got != "machine" {
		t.Errorf("got %s", got)
	}
}

func TestWithoutARunningPanelItIsSaidWhatToDo(t *testing.T) {
	dir := place(t)
	left(t, config.PathsBelow(filepath.Join(dir, "root-dead")).CLISocket())
	_, err := apiclient.Connect(apiclient.Target{Roots: filepath.Join(dir, "root-*"), Hint: filepath.Join(dir, "no-hint")})
	if !errors.Is(err, apiclient.ErrNoPanel) || !strings.Contains(err.Error(), "CHATIERE_URL") {
		t.Errorf("got %v", err)
	}
}

func TestBetweenSeveralPanelsAPersonChooses(t *testing.T) {
	dir := place(t)
	sockets := []string{config.PathsBelow(filepath.Join(dir, "root-a")).CLISocket(), config.PathsBelow(filepath.Join(dir, "root-b")).CLISocket()}
	for _, socket := range sockets {
		listen(t, socket, named("one of them"))
	}
	_, err := apiclient.Connect(apiclient.Target{Roots: filepath.Join(dir, "root-*")})
	if !errors.Is(err, apiclient.ErrManyPanels) || !strings.Contains(err.Error(), sockets[0]) || !strings.Contains(err.Error(), sockets[1]) {
		t.Errorf("got %v", err)
	}
}
