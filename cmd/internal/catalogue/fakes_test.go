package catalogue_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"runtime"
	"strings"
	"testing"

	"chatiere/cmd/internal/catalogue"
	"chatiere/templates"
	"chatiere/tenants"
)

const phpBase = "chatiere/php:trixie"

// build is one build that an engine was asked for.
type build struct {
	tag, dockerfile string
	context         int // bytes
	args            map[string]string
}

// engine knows images and builds them; what a test does not use is not there.
type engine struct {
	tenants.Engine
	images map[string]string // content id by reference
	builds []build
	pulls  []string
	broken error  // what it answers when it is asked to build
	down   string // prefix of the references it does not answer for
}

func newEngine() *engine { return &engine{images: map[string]string{phpBase: digest("ba5e")}} }

func digest(sign string) string { return "sha256:" + strings.Repeat(sign, 16) }

func (e *engine) ImageID(_ context.Context, ref string) (string, error) {
	if e.down != "" && strings.HasPrefix(ref, e.down) {
		return "", tenants.ErrUnavailable
	}
	if id, ok := e.images[ref]; ok {
		return id, nil
	}
	for _, id := range e.images {
		if id == ref {
			return id, nil
		}
	}
	return "", fmt.Errorf("image %s: %w", ref, tenants.ErrNotFound)
}

func (e *engine) Build(_ context.Context, tag, dockerfile string, context io.Reader, args map[string]string, progress io.Writer) (string, error) {
	if e.broken != nil {
		return "", e.broken
	}
	for range 1000 {
		runtime.Gosched() // whoever is not kept out gets in now
	}
	n, err := io.Copy(io.Discard, context)
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(progress, "Step 1/9\n"); err != nil {
		return "", err
	}
	e.builds = append(e.builds, build{tag, dockerfile, int(n), maps.Clone(args)})
	e.images[tag] = digest("f00d")
	return e.images[tag], nil
}

func (e *engine) Pull(_ context.Context, ref string, _ io.Writer) (string, error) {
	if e.broken != nil {
		return "", e.broken
	}
	e.pulls = append(e.pulls, ref)
	e.images[ref] = digest("9011")
	return e.images[ref], nil
}

func newCatalogue(t *testing.T, e tenants.Engine, change func(*catalogue.Settings)) *catalogue.Catalogue {
	t.Helper()
	return catalogueOf(t, e, templates.Embedded(), change)
}

func catalogueOf(t *testing.T, e tenants.Engine, files fs.FS, change func(*catalogue.Settings)) *catalogue.Catalogue {
	t.Helper()
	loaded, err := templates.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	s := catalogue.Settings{
		Root: "/var/lib/chatiere", Language: "fr", URL: func(host string) string { return "https://" + host + ":8443" },
	}
	if change != nil {
		change(&s)
	}
	return catalogue.New(loaded, s, e)
}

func site() tenants.Site {
	return tenants.Site{
		ID: "s7k2m9qx4p", Template: "wordpress", Name: "Amap du Puy",
		Host: "amap.lilas.example", UID: 200001,
	}
}
