package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"gonamesrv/bench"
	"gonamesrv/bench/capture"
)

// A recordCommand is `nsbench record`: its flags.
type recordCommand struct {
	target, listen, out string
	bodies              bool
	maxSize             sizeValue
}

func newRecordCommand() *cobra.Command {
	f := recordCommand{maxSize: 100_000_000}
	cmd := &cobra.Command{
		Use:   "record [flags]",
		Short: "Stand in front of a server and record what clients and brokers ask",
		Long: "Record listens, forwards every connection to the target, bytes untouched, and writes which requests came when, with their\n" +
			"sizes and the codes of their replies: `nsbench run -f FILE` sends the same again. Names are hashed, with a key that is\n" +
			"thrown away. It ends when it is interrupted.",
		Example: "  nsbench record --target ns1:9876 --listen 10.0.0.7:9876 --out friday.jsonl\n" +
			"  nsbench run -f friday.jsonl --speed 10",
		Args: cobra.NoArgs,
		RunE: f.run,
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.target, "target", "127.0.0.1:9876", "address of the server")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	fl.StringVarP(&f.out, "out", "o", "nsbench-capture.jsonl", "the file to write, which must not be there yet")
	fl.BoolVar(&f.bodies, "bodies", false, "write bodies too: they have the names of topics and brokers in them")
	fl.Var(&f.maxSize, "max-size", "how large the file may become, such as 500MB; later requests are forwarded and left out")
	return cmd
}

func (f *recordCommand) run(cmd *cobra.Command, _ []string) (err error) {
	ctx := cmd.Context()
	if err := bench.Reach(ctx, f.target, 10*time.Second); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return err
	}
	defer l.Close()
	begun := time.Now()
	w, err := capture.Create(f.out, capture.Head{Started: begun, Bodies: f.bodies}, int64(f.maxSize))
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	tap := capture.NewTap(capture.Options{
		Target: f.target, Bodies: f.bodies, Writer: w, Log: slog.New(slog.NewTextHandler(stderr, nil)),
	}, begun)
	fmt.Fprintf(stderr, "listening on %s, forwarding to %s, recording into %s; interrupt to end\n", l.Addr(), f.target, f.out)
	served := tap.Serve(ctx, l)
	left, err := w.Close(tap.Micros())
	if left > 0 {
		fmt.Fprintf(stderr, "%d records are left out: the file is as large as it may be\n", left)
	}
	return errors.Join(served, err)
}

// A sizeValue is a number of bytes, such as 500MB.
type sizeValue int64

func (v *sizeValue) String() string {
	for _, u := range sizeUnits {
		if int64(*v) >= u.bytes && int64(*v)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(*v)/u.bytes, u.name)
		}
	}
	return fmt.Sprint(int64(*v))
}

// Type is what pflag shows for the value.
func (v *sizeValue) Type() string { return "size" }

func (v *sizeValue) Set(text string) error {
	for _, u := range append(sizeUnits, sizeUnit{"", 1}) {
		var n int64
		var rest string
		if _, err := fmt.Sscanf(text+" .", "%d"+u.name+" %s", &n, &rest); err == nil && rest == "." && n > 0 && n < 1<<50/u.bytes {
			*v = sizeValue(n * u.bytes)
			return nil
		}
	}
	return fmt.Errorf("%q is no size such as 100MB", text)
}

type sizeUnit struct {
	name  string
	bytes int64
}

var sizeUnits = []sizeUnit{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}}
