//go:build !unix

package bench

import (
	"crypto/tls"
	"errors"
	"net"
)

// plainSide cannot be made without pairs of sockets.
func plainSide(secured *tls.Conn) (net.Conn, error) {
	secured.Close()
	return nil, errors.New("TLS takes a Unix system")
}
