package nsctl

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
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
			cmd.Root().DisableAutoGenTag = true // it has a date
			if err := writeMan(cmd.Root(), args[0]); err != nil {
				return &exitError{exitNo, err.Error()}
			}
			return nil
		},
	}
}

// writeMan writes the page of a command, and those of the commands below it. Pages have no
// date: the same commands make the same pages.
func writeMan(cmd *cobra.Command, dir string) error {
	epoch := time.Unix(0, 0).UTC()
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &doc.GenManHeader{Section: "1", Source: "gonamesrv", Manual: "gonamesrv", Date: &epoch}, &page); err != nil {
		return err
	}
	text := bytes.Replace(page.Bytes(), []byte(`"`+epoch.Format("Jan 2006")+`"`), []byte(`""`), 1)
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
		return err
	}
	for _, below := range cmd.Commands() {
		if !below.IsAvailableCommand() || below.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := writeMan(below, dir); err != nil {
			return err
		}
	}
	return nil
}
