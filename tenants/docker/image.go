package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
)

// ErrBuild says that the builder refused; the text holds its last words.
var ErrBuild = errors.New("build failed")

// ErrPull says that an image could not be fetched from its registry; the text holds the engine's reason.
var ErrPull = errors.New("pull failed")

// ImageID returns the content id ("sha256:…") of a reference.
func (e *Engine) ImageID(ctx context.Context, ref string) (string, error) {
	found, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return "", translate("inspecting image "+ref, err)
	}
	return found.ID, nil
}

// Pull fetches an image by a reference with a digest, by which the engine checks what it gets.
func (e *Engine) Pull(ctx context.Context, ref string, progress io.Writer) (string, error) {
	answer, err := e.api.ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		return "", translate("pulling image "+ref, err)
	}
	defer func() { _ = answer.Close() }()
	if err := follow(answer, progress, ErrPull); err != nil {
		return "", translate("pulling image "+ref, err)
	}
	return e.ImageID(ctx, ref)
}

// Build builds an image from a tar of its context, by a Dockerfile in it, and tags it; progress gets the builder's lines.
func (e *Engine) Build(ctx context.Context, tag, dockerfile string, context io.Reader, args map[string]string, progress io.Writer) (string, error) {
	values := make(map[string]*string, len(args))
	for name, value := range args {
		values[name] = &value
	}
	answer, err := e.api.ImageBuild(ctx, context, build.ImageBuildOptions{
		Tags: []string{tag}, Dockerfile: dockerfile, BuildArgs: values, Remove: true, ForceRemove: true, Version: build.BuilderV1,
	})
	if err != nil {
		return "", translate("building image "+tag, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if err := follow(answer.Body, progress, ErrBuild); err != nil {
		return "", translate("building image "+tag, err)
	}
	return e.ImageID(ctx, tag)
}

// follow drains the engine's answer, without which the work would be broken off, and finds the failure in it: the
// status of the answer was sent before the first step.
func follow(stream io.Reader, progress io.Writer, failure error) error {
	if progress == nil {
		progress = io.Discard
	}
	lines := json.NewDecoder(stream)
	for {
		var line struct {
			Stream string `json:"stream"`
			Status string `json:"status"`
			Error  string `json:"error"`
		}
		err := lines.Decode(&line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the engine's answer: %w", err)
		}
		if line.Error != "" {
			return fmt.Errorf("%w: %s", failure, line.Error)
		}
		if line.Status != "" {
			line.Stream += line.Status + "\n"
		}
		if _, err := io.WriteString(progress, line.Stream); err != nil {
			return fmt.Errorf("passing the engine's lines on: %w", err)
		}
	}
}
