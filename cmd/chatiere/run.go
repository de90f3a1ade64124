package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"chatiere/cmd/internal/config"
)

// Exit codes, the same for every verb.
const (
	exitDone   = 0
	exitFailed = 1 // it was tried and did not work
	exitUsage  = 2 // the command line makes no sense
	exitConfig = 3 // the configuration has faults, or contradicts what was asked for
)

// errUsage marks what was wrong with the command line itself.
var errUsage = errors.New("usage")

// program is what verbs share.
type program struct {
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
	configPath     string
	json           bool
}

// run does what args say and returns the exit code.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{env: env, stdin: stdin, stdout: stdout, stderr: stderr}
	root := p.command()
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		return p.fail(err)
	}
	return exitDone
}

// command is the tree of verbs; each verb is a file of its own.
func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "chatiere",
		Short:         "Websites for associations, run by their co-op",
		Long:          "Websites for associations, run by their co-op.\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 faults in what was given or configured, 4 no such thing,\n5 not allowed, 6 its state forbids it now, 7 something does not answer, 8 an operation needs a person.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.PersistentFlags().StringVar(&p.configPath, "config", "", "configuration file (CHATIERE_CONFIG; default "+config.File("", nil)+")")
	root.PersistentFlags().BoolVar(&p.json, "json", false, "answer in JSON")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return errors.Join(errUsage, err) })
	root.AddCommand(p.setupCommand(), p.configCommand(), p.healthCommand(), p.associationCommand(), p.siteCommand(), p.egressCommand(),
		p.backupCommand(), p.operationCommand(), p.templateCommand(), p.tokenCommand(), p.doctorCommand(), p.auditCommand(), p.recordsCommand(), p.breakGlassCommand(), p.demoCommand(), backupProcess())
	root.AddCommand(p.roleCommands()...)
	root.InitDefaultCompletionCmd()
	strict(root)
	return root
}

// strict makes cobra refuse what it lets pass by itself: a group that is called with a word no verb of it has would print
// its help and succeed.
func strict(cmd *cobra.Command) {
	if cmd.Args != nil {
		cmd.Args = usage(cmd.Args)
	}
	if !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// usage marks what cobra says of arguments as wrong usage.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil || errors.Is(err, errUsage) {
			return err
		}
		return errors.Join(errUsage, err)
	}
}

// load reads the configuration that the command line names.
func (p *program) load() (config.Config, error) { return config.Load(p.configPath, p.env) }

// fail says what went wrong, to people, and picks the exit code.
func (p *program) fail(err error) int {
	var faults config.Faults
	if errors.As(err, &faults) {
		_, _ = fmt.Fprintf(p.stderr, "%sThe configuration has %d fault(s).\n", faults.Report(), len(faults))
		return exitConfig
	}
	_, _ = fmt.Fprintln(p.stderr, "chatiere: "+strings.TrimPrefix(explain(err), errUsage.Error()+"\n"))
	if code, ok := remoteCode(err); ok {
		return code
	}
	var contradiction configError
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.As(err, &contradiction), errors.Is(err, errTemplateFaults):
		return exitConfig
	}
	return exitFailed
}
