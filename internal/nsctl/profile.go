package nsctl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// A profileKind is a profile of package net/http/pprof.
type profileKind struct {
	path    string
	seconds bool // it takes time
	ending  string
}

var profileKinds = map[string]profileKind{
	"cpu":   {"/debug/pprof/profile", true, "pprof"},
	"heap":  {"/debug/pprof/heap", false, "pprof"},
	"mutex": {"/debug/pprof/mutex", true, "pprof"},
	"trace": {"/debug/pprof/trace", true, "trace"},
}

// maxSeconds is how long a server lets a profile last.
const maxSeconds = 30

// take takes a profile.
func (k profileKind) take(ctx context.Context, a *admin, seconds int) ([]byte, error) {
	query, most := url.Values{}, a.timeout
	if k.seconds {
		query.Set("seconds", strconv.Itoa(seconds))
		most += time.Duration(seconds) * time.Second
	}
	return a.fetch(ctx, k.path, query, "*/*", most)
}

// newProfile makes `nsctl profile`.
func (c *ctl) newProfile() *cobra.Command {
	var seconds int
	var file string
	cmd := &cobra.Command{
		Use:       "profile cpu|heap|mutex|trace",
		Short:     "Take a profile of each server, for go tool pprof or go tool trace",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"cpu", "heap", "mutex", "trace"},
		RunE: c.writes(func(ctx context.Context, args []string) error {
			kind, ok := profileKinds[args[0]]
			if !ok {
				return usage("the profile is %q, must be cpu, heap, mutex or trace", args[0])
			}
			if seconds < 1 || seconds > maxSeconds {
				return usage("--seconds is %d, must be 1 to %d", seconds, maxSeconds)
			}
			return c.profile(ctx, args[0], kind, seconds, file)
		}),
	}
	cmd.Flags().IntVar(&seconds, "seconds", 10, "how long to look, 1 to 30; not for heap")
	cmd.Flags().StringVarP(&file, "output", "o", "", "write to this file, of one server; - is stdout (nsctl-KIND-SERVER-TIME.pprof)")
	return cmd
}

// profile takes a profile of all servers at once, and prints the names of the files.
func (c *ctl) profile(ctx context.Context, name string, kind profileKind, seconds int, file string) error {
	admins, err := c.admins()
	if err != nil {
		return err
	}
	if file != "" && len(admins) > 1 {
		return usage("--output is for one server, and %d are given", len(admins))
	}
	answers := gather(admins, func(a *admin) answer[[]byte] {
		text, err := kind.take(ctx, a, seconds)
		return answer[[]byte]{a.name, text, err}
	})
	stamp := fileStamp(c.now())
	for i := range answers {
		a := &answers[i]
		to := file
		switch {
		case a.err != nil:
			continue
		case to == "-":
			if _, err := c.stdout.Write(a.value); err != nil {
				return &exitError{exitNo, err.Error()}
			}
			continue
		case to == "":
			to = fmt.Sprintf("nsctl-%s-%s-%s.%s", name, fileName(a.server), stamp, kind.ending)
		}
		if err := writeNew(to, a.value); err != nil {
			return &exitError{exitNo, err.Error()}
		}
		fmt.Fprintln(c.stdout, to)
	}
	return outcome(c, answers)
}

// fileStamp is a time in the name of a file.
func fileStamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// fileName makes of the address of a server a part of the name of a file.
func fileName(server string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, server)
}

// writeNew writes a file that only its owner may read, and that is not there yet: what a
// server does is not for everybody's eyes.
func writeNew(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(name)
	}
	return err
}
