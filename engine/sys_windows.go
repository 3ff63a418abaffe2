package engine

import (
	"errors"
	"net"
	"os"
)

// sentinelPair fails: on Windows the package compiles and does not serve.
// gnet calls its own Windows port fit for development only.
func sentinelPair() (net.Conn, *os.File, error) {
	return nil, nil, errors.New("engine: not supported on Windows")
}

// hasInput returns false: it is not known.
func hasInput(int) bool { return false }

// hasBacklog returns false: it is not known.
func hasBacklog(*net.TCPListener) bool { return false }

// maxOpenFiles returns 0: no limit is known.
func maxOpenFiles() int { return 0 }

// readNow fails.
func readNow(uintptr, []byte) (int, error) {
	return 0, errors.New("engine: not supported on Windows")
}
