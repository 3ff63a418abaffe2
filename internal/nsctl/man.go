package nsctl

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan makes `nsctl man`, for those who build packages.
func (c *ctl) newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the man pages into a folder, which must exist",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
				return usage("%s is no folder", args[0])
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // the same pages each time
			date := time.Unix(0, 0).UTC() // no date is shown; one must be given, else it is today
			header := &doc.GenManHeader{Title: "NSCTL", Section: "1", Source: "gonamesrv", Manual: "gonamesrv", Date: &date}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return &exitError{exitNo, err.Error()}
			}
			return nil
		},
	}
}
