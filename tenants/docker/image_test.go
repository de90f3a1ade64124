//go:build integration

package docker_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"

	"chatiere/tenants"
	"chatiere/tenants/docker"
)

// packed packs a build's files.
func packed(t *testing.T, files map[string]string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}))
		_, err := io.WriteString(w, text)
		must(t, err)
	}
	must(t, w.Close())
	return &b
}

func TestAnImageIsBuiltFromItsContext(t *testing.T) {
	ctx, e, instance := engine(t)
	tag := "chatiere/" + instance + ":1"
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "--force", tag).Run() })
	var progress strings.Builder
	id, err := e.Build(ctx, tag, "Dockerfile", packed(t, map[string]string{
		"Dockerfile": "ARG BASE\nFROM ${BASE}\nCOPY said /said\n", "said": "bonjour\n",
	}), map[string]string{"BASE": image()}, &progress)
	must(t, err)
	if found, err := e.ImageID(ctx, tag); err != nil || found != id || !strings.HasPrefix(id, "sha256:") {
		t.Errorf("built %s, the tag leads to %s (%v)", id, found, err)
	}
	if !strings.Contains(progress.String(), "COPY said /said") {
		t.Errorf("progress was %q", progress.String())
	}
	spec := sleeper(instance, "s1")
	spec.Image, spec.Entrypoint, spec.Command = id, []string{"cat"}, []string{"/said"}
	if got, err := e.RunOnce(ctx, spec, nil); err != nil || got.Output != "bonjour\n" {
		t.Errorf("it says %+v (%v)", got, err)
	}
	_, err = e.Build(ctx, tag, "Dockerfile", packed(t, map[string]string{"Dockerfile": "FROM " + image() + "\nRUN exit 3\n"}), nil, nil)
	wants(t, "a step that fails", err, docker.ErrBuild)
	_, err = e.ImageID(ctx, "chatiere/never-built:1")
	wants(t, "an image that is not there", err, tenants.ErrNotFound)
}
