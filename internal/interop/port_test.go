//go:build interop

package interop

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports come from below the ephemeral range (32768 and up on Linux), so that
// no outgoing connection takes the port of a server that is being restarted.
const (
	firstPort = 20000
	lastPort  = 31999
)

var ports = struct {
	mu   sync.Mutex
	next int
}{next: firstPort + rand.IntN(8000)}

// freePort returns a port p for which p+offset is free for each offset. Within
// one run no port is handed out twice.
func freePort(t *testing.T, offsets ...int) int {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for range 1000 {
		if ports.next > lastPort {
			ports.next = firstPort
		}
		p := ports.next + 2
		ports.next += 4
		if portsFree(p, offsets) {
			return p
		}
	}
	t.Fatalf("no free port between %d and %d", firstPort, lastPort)
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
