//go:build interop

package interop

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
)

// Each run of the suite has a block of ports to itself, so that no other run
// takes the port of a server that is being restarted: it listens on the first
// one for as long as it lives. The blocks lie below the usual ephemeral range
// (32768 and up on Linux), so that no outgoing connection takes it either.
const (
	firstPort  = 10000
	portBlocks = 22
	blockSize  = 1000
)

var ports struct {
	lock net.Listener

	mu         sync.Mutex
	next, last int
}

// claimPorts takes a block of ports. It prefers one that is no part of the
// ephemeral range.
func claimPorts() error {
	low, high := 32768, 60999
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(string(text), &low, &high)
	}
	for _, ephemeral := range []bool{false, true} {
		for _, i := range rand.Perm(portBlocks) {
			first := firstPort + i*blockSize
			if (first <= high && first+blockSize > low) != ephemeral {
				continue
			}
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first))
			if err == nil {
				ports.lock, ports.next, ports.last = ln, first+1, first+blockSize-1
				return nil
			}
		}
	}
	return errors.New("other runs have all blocks of ports")
}

// freePort returns a port p for which p+offset is free for each offset, -2 to
// 1. A port is not handed out again before all others were.
func freePort(t *testing.T, offsets ...int) int {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for range blockSize {
		if ports.next+3 > ports.last {
			ports.next = ports.lock.Addr().(*net.TCPAddr).Port + 1
		}
		p := ports.next + 2
		ports.next += 4
		if portsFree(p, offsets) {
			return p
		}
	}
	t.Fatalf("no free port up to %d", ports.last)
	return 0
}

func portsFree(p int, offsets []int) bool {
	for _, o := range offsets {
		ln, err := net.Listen("tcp", fmt.Sprintf(":%d", p+o))
		if err != nil {
			return false
		}
		ln.Close()
	}
	return true
}
