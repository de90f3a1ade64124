package templates_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"chatiere/templates"
)

func TestAContextDependsOnTheFilesAlone(t *testing.T) {
	first, err := templates.Context(wordpress(t))
	if err != nil {
		t.Fatal(err)
	}
	extra := fstest.MapFS{}
	copied(t, extra, "wordpress")
	catalogue, err := templates.Load(extra)
	if err != nil {
		t.Fatal(err)
	}
	again, err := catalogue.Template("wordpress")
	if err != nil {
		t.Fatal(err)
	}
	second, err := templates.Context(again)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the same files read from elsewhere made another context (%v)", err)
	}
}

func TestAContextHoldsWhatTheImageIsMadeOf(t *testing.T) {
	context, err := templates.Context(wordpress(t))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	reader := tar.NewReader(bytes.NewReader(context))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
	if !slices.IsSorted(names) {
		t.Error("the entries are not sorted")
	}
	for name, wanted := range map[string]bool{"Dockerfile": true, "hooks/install.php": true, "nginx/refuse.conf": true, "manifest.yaml": false} {
		if slices.Contains(names, name) != wanted {
			t.Errorf("%s: got %v, want %v", name, !wanted, wanted)
		}
	}
}

func TestTheTagFollowsEverythingThatGoesIntoAnImage(t *testing.T) {
	tag := func(template templates.Template, base string) string {
		t.Helper()
		images, err := templates.Images(template, "", map[string]string{"php": base})
		if err != nil || len(images) != 1 {
			t.Fatalf("got %d images, %v", len(images), err)
		}
		return images[0].Tag
	}
	usual := tag(wordpress(t), "sha256:a")
	if !strings.HasPrefix(usual, "chatiere/wordpress-app:6.8-") {
		t.Errorf("got %s", usual)
	}
	if tag(wordpress(t), "sha256:a") != usual {
		t.Error("the same image got another tag")
	}
	if tag(wordpress(t), "sha256:b") == usual {
		t.Error("another base got the same tag")
	}
	extra := fstest.MapFS{}
	copied(t, extra, "wordpress")
	extra["wordpress/hooks/cron.php"] = &fstest.MapFile{Data: []byte("<?php\n")}
	catalogue, err := templates.Load(extra)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := catalogue.Template("wordpress")
	if err != nil {
		t.Fatal(err)
	}
	if tag(changed, "sha256:a") == usual {
		t.Error("another hook got the same tag")
	}
}

func TestAnImageWithoutItsBaseIsRefused(t *testing.T) {
	if _, err := templates.Images(wordpress(t), "", nil); !errors.Is(err, templates.ErrValues) {
		t.Errorf("got %v, want ErrValues", err)
	}
}
