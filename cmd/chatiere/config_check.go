package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/config"
)

func (p *program) configCommand() *cobra.Command {
	group := &cobra.Command{Use: "config", Short: "The configuration file", Args: usage(cobra.NoArgs)}
	group.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Say everything that is wrong with the configuration, and what is expected instead",
		Long: "Reads the configuration file, the variables that override it and the files it names, and reports every fault\n" +
			"at once. Exit codes: 0 no fault, 1 the file cannot be read, 3 faults.",
		Args: usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return p.checkConfig() },
	})
	return group
}

// verdict is what "config check --json" answers.
type verdict struct {
	File   string        `json:"file"`
	OK     bool          `json:"ok"`
	Faults config.Faults `json:"faults"`
}

func (p *program) checkConfig() error {
	file := config.File(p.configPath, p.env)
	c, err := p.load()
	faults := config.Faults{}
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	if err == nil {
		faults = append(faults, c.CheckFiles()...)
	}
	if len(faults) == 0 {
		return p.answer(verdict{File: file, OK: true, Faults: faults}, fmt.Sprintf("%s: no fault\n", file))
	}
	if p.json {
		if err := p.answer(verdict{File: file, Faults: faults}, ""); err != nil {
			return err
		}
	}
	return faults
}
