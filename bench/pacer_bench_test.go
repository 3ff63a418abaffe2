package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/codec"
)

// echoChild is the whole program of a server that answers at once, until stdin ends.
func echoChild() {
	reply := codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: 1_000_000_000, Body: make([]byte, 500)})
	addr, stop, err := bench.ListenEcho(context.Background(), reply)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("address", addr)
	io.Copy(io.Discard, os.Stdin)
	stop()
	os.Exit(0)
}

// BenchmarkPacer measures how late requests of an open loop leave, against a server of its
// own process that answers at once, and what latency that adds to. Give it seconds, on an
// otherwise idle machine: -benchtime=5s.
func BenchmarkPacer(b *testing.B) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BENCH_TEST_ECHO=yes")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "address ")
	if !ok {
		b.Fatalf("the server says %q (%v)", line, err)
	}
	for _, rate := range []int{1000, 5000, 30_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			for b.Loop() {
				sc := scenario(b, "route", "connections", "64", "rate", fmt.Sprint(rate), "warmup", "300ms", "duration", "2s")
				opt := at(addr)
				opt.Floor = true
				res, err := bench.Run(b.Context(), sc, opt, nil)
				if err != nil {
					b.Fatal(err)
				}
				o := op(b, res, "measured", "route")
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(o.Pace.Lateness.P50, "late-p50-µs")
				b.ReportMetric(o.Pace.Lateness.P99, "late-p99-µs")
				b.ReportMetric(o.Latency.P99, "p99-µs")
				b.ReportMetric(o.Pace.FromWrite.P99, "from-write-p99-µs")
				b.ReportMetric(res.Generator.CPUSeconds/res.MeasuredSeconds, "cores")
			}
		})
	}
}
