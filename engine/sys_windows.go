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

// maxOpenFiles returns 0: no limit is known.
func maxOpenFiles() int { return 0 }
