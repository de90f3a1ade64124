package main

import (
	"github.com/spf13/cobra"

	"chatiere/cmd/internal/apiclient"
)

func (p *program) recordsCommand() *cobra.Command {
	group := &cobra.Command{Use: "records", Short: "The database's records and this data root", Args: usage(cobra.NoArgs)}
	group.AddCommand(&cobra.Command{
		Use:   "accept",
		Short: "Let the worker work by records that it refuses, because they were restored on purpose (audited)",
		Long: "A worker refuses records that are older or newer than its data root, or another one's, and doctor says which.\n" +
			"This is root's word that they are to be worked by all the same. What lies on the data root and has no record\n" +
			"is reported and left alone; sites whose records say something older are brought to that.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.acceptRecords(cmd) },
	})
	return group
}

// acceptance is what "records accept --json" answers.
type acceptance struct {
	Refused string `json:"refused"` // what the worker had to say against them
}

func (p *program) acceptRecords(cmd *cobra.Command) error {
	c, err := p.load()
	if err != nil {
		return err
	}
	refused, err := apiclient.AcceptRecords(cmd.Context(), c, "root")
	if err != nil {
		return err
	}
	return p.answer(acceptance{refused}, "accepted, although: "+refused+"\n")
}
