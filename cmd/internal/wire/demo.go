package wire

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"

	"chatiere/cmd/internal/apiclient"
	"chatiere/cmd/internal/config"
	"chatiere/cmd/internal/demo"
	"chatiere/tenants/docker"
)

// Demo fills the instance of a configuration and writes the summary to file. It runs as root on the server itself.
func Demo(ctx context.Context, c config.Config, file string, say func(string)) (demo.Summary, error) {
	directory, err := Keycloak(c)
	if err != nil {
		return demo.Summary{}, err
	}
	engine, err := docker.New(docker.Options{Host: c.Docker.Host, Instance: c.Instance, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return demo.Summary{}, err
	}
	defer func() { _ = engine.Close() }()
	ca, err := filepath.Abs(c.Paths().CA())
	if err != nil {
		return demo.Summary{}, err
	}
	d := demo.Demo{
		Panel: apiclient.OverSocket(c.Paths().CLISocket()), Directory: demo.Realm{Client: directory}, Applications: demo.Containers{Engine: engine, Instance: c.Instance},
		Domain: c.Domain, File: file, Secret: demo.RandomPassword, TOTP: demo.RandomTOTP, Say: say,
	}
	return d.Run(ctx, demo.Summary{PanelURL: c.PanelURL(), KeycloakURL: c.IdentityURL(), CACert: ca})
}
