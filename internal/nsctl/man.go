package nsctl

import (
	"os"

	"github.com/spf13/cobra"

	"gonamesrv/internal/manpage"
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
			if err := manpage.Write(cmd.Root(), args[0]); err != nil {
				return &exitError{exitNo, err.Error()}
			}
			return nil
		},
	}
}
