package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gonamesrv/internal/manpage"
)

// newManCommand is for those who build packages.
func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the man pages into a folder, which must exist",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
				return fmt.Errorf("%s is no folder", args[0])
			}
			return manpage.Write(cmd.Root(), args[0])
		},
	}
}
