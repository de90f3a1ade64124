package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"chatiere/panel/api"
	"chatiere/templates"
)

// errTemplateFaults is a manifest that nothing should be made of.
var errTemplateFaults = errors.New("the template has faults")

func (p *program) templateCommand() *cobra.Command {
	group := &cobra.Command{Use: "template", Short: "Templates: what sites can be made of", Args: usage(cobra.NoArgs)}
	group.AddCommand(
		&cobra.Command{Use: "list", Short: "List templates", Args: usage(cobra.NoArgs), RunE: get(p, at(api.PathTemplates), p.listTemplates)},
		&cobra.Command{
			Use: "check DIRECTORY", Short: "Say everything that is wrong with a template: file, line, what is expected",
			Args: usage(cobra.ExactArgs(1)), RunE: func(_ *cobra.Command, args []string) error { return p.checkTemplate(args[0]) },
		})
	return group
}

func (p *program) listTemplates(l api.List[api.Template]) error {
	return list(p, l, "NAME\tVERSION\tMODES\tTITLE\tSUMMARY", l.Items, func(t api.Template) []string {
		return []string{t.Name, t.Version, strings.Join(t.Modes, " "), t.Title, t.Summary}
	})
}

// templateVerdict is what "template check --json" answers.
type templateVerdict struct {
	Directory string            `json:"directory"`
	OK        bool              `json:"ok"`
	Faults    []templates.Fault `json:"faults"`
}

func (p *program) checkTemplate(dir string) error {
	faults := templates.Check(dir)
	text := dir + ": no fault\n"
	if len(faults) > 0 {
		text = ""
		for _, f := range faults {
			text += f.String() + "\n"
		}
	}
	if err := p.answer(templateVerdict{Directory: dir, OK: len(faults) == 0, Faults: append([]templates.Fault{}, faults...)}, text); err != nil {
		return err
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d in %s: %w", len(faults), dir, errTemplateFaults)
	}
	return nil
}
