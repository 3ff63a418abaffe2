package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"gonamesrv/internal/namesrv"
)

// isConfigCheck reports whether the words of the command line are the command that checks
// a configuration, and returns what is behind it. Java's command line has options only.
func isConfigCheck(args []string) ([]string, bool) {
	if len(args) >= 2 && args[0] == "config" && args[1] == "check" {
		return args[2:], true
	}
	return args, false
}

// configCheck prints which request is served to whom, and what is wrong with the
// configuration. It starts nothing.
func configCheck(ctx context.Context, f flags, getenv func(string) string, stdout, stderr io.Writer) int {
	cfg, notes, err := configure(f, getenv, stdout)
	table := ""
	if err == nil {
		var more []namesrv.Note
		table, more, err = namesrv.CheckAccess(cfg)
		notes = append(notes, more...)
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	for _, n := range notes {
		log.Log(ctx, n.Level, n.Msg, n.Attrs...)
	}
	if err != nil {
		complain(stderr, err)
		return exitFailed
	}
	fmt.Fprint(stdout, table)
	return exitOK
}
