package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"gonamesrv/internal/admin"
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

// configCheck prints which request is served to whom, what is wrong with the configuration
// and with the files that it names, and in the last line of stdout whether a server would
// start with it. It starts nothing.
func configCheck(ctx context.Context, f flags, getenv func(string) string, stdout, stderr io.Writer) int {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	cfg, notes, err := configure(f, getenv, stdout)
	table := ""
	if err == nil {
		var more []namesrv.Note
		table, more, err = namesrv.CheckAccess(cfg)
		notes = append(notes, more...)
		// Only what is amiss: nothing is in force, though it would be.
		warnings := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		err = errors.Join(namesrv.CheckStart(cfg, warnings), err, admin.CheckStart(&cfg))
	}
	for _, n := range notes {
		log.Log(ctx, n.Level, n.Msg, n.Attrs...)
	}
	if err != nil {
		errs := complain(stderr, err)
		what := "errors"
		if errs == 1 {
			what = "error"
		}
		fmt.Fprintf(stdout, "would not start: %d %s\n", errs, what)
		return exitFailed
	}
	fmt.Fprint(stdout, table)
	fmt.Fprint(stdout, "\nwould start\n")
	return exitOK
}
