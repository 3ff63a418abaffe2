package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"gonamesrv/bench"
)

// maxCPU bounds the numbers of processors: as many as the kernel's set of them has.
const maxCPU = 1023

// parseCPUs reads such as 0,2-3.
func parseCPUs(text string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || from < 0 || to > maxCPU || from > to {
			return nil, fmt.Errorf("--cpus %s: %q is no processor or range of them, such as 0,2-3", text, part)
		}
		for i := from; i <= to; i++ {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// pin keeps this process, and the generators that it starts, to the processors
// of --cpus. The server that is running already and the server that only echoes
// keep all.
func (f *generatorFlags) pin(sc bench.Scenario, opt *bench.Options) error {
	if f.cpus == "" {
		return nil
	}
	cpus, err := parseCPUs(f.cpus)
	if err != nil {
		return err
	}
	if k, err := bench.FindKind(sc.Kind); err == nil && k.NeedsServer {
		return fmt.Errorf("--cpus: %s starts the server again, which would be kept to the same processors", sc.Kind)
	}
	unpinned, err := pinProcess(cpus)
	if err != nil {
		return fmt.Errorf("--cpus %s: %w", f.cpus, err)
	}
	runtime.GOMAXPROCS(len(cpus) + spareThreads)
	if start := opt.StartEcho; start != nil {
		opt.StartEcho = func(ctx context.Context, reply []byte) (addr string, pid int, stop func(), err error) {
			unpinned(func() { addr, pid, stop, err = start(ctx, reply) })
			return addr, pid, stop, err
		}
	}
	return nil
}
