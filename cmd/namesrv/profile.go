package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/profile"
)

// profiles are what --profile knows, and the file each leaves.
var profiles = map[string]struct {
	mode func(*profile.Profile)
	file string
}{
	"cpu":   {profile.CPUProfile, "cpu.pprof"},
	"mem":   {profile.MemProfileAllocs, "mem.pprof"},
	"mutex": {profile.MutexProfile, "mutex.pprof"},
	"block": {profile.BlockProfile, "block.pprof"},
	"trace": {profile.TraceProfile, "trace.out"},
}

// startProfile profiles the process until the function it returns is called,
// into a file in dir, or in the working directory when dir is empty. Without a name
// it starts nothing.
func startProfile(name, dir string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	p, ok := profiles[name]
	if !ok {
		return nil, fmt.Errorf("--profile is %q, it must be %s", name, strings.Join(slices.Sorted(maps.Keys(profiles)), ", "))
	}
	if dir == "" {
		dir = "."
	}
	// The library ends the process when it cannot write: find out before.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("--profile: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, p.file))
	if err != nil {
		return nil, fmt.Errorf("--profile: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("--profile: %w", err)
	}
	// This program handles the signals and writes the messages, not the library.
	return profile.Start(p.mode, profile.ProfilePath(dir), profile.NoShutdownHook, profile.Quiet).Stop, nil
}
