// Package manpage writes the man pages of a program from its commands.
package manpage

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Write writes the page of a command, and those of the commands below it, into a
// folder, which must exist. Pages have no date: the same commands make the same pages.
func Write(cmd *cobra.Command, dir string) error {
	cmd.Root().DisableAutoGenTag = true // it has a date
	return write(cmd, dir)
}

func write(cmd *cobra.Command, dir string) error {
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
		if err := write(below, dir); err != nil {
			return err
		}
	}
	return nil
}
