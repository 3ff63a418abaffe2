//go:build unix

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// otherFiles are descriptors that a server and its load have beside idle connections, and
// that a server keeps free.
const otherFiles = 1000

// enoughFiles makes sure that this process and a server that it starts may have so many
// connections each.
func enoughFiles(connections int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of file descriptors: %w", err)
	}
	if connections > 0 && uint64(connections)+otherFiles > uint64(limit.Max) {
		return fmt.Errorf("--connections %d takes a limit of %d file descriptors, and it is %d: raise it with ulimit -n, or ask for fewer",
			connections, connections+otherFiles, uint64(limit.Max))
	}
	return nil
}
