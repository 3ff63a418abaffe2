package launch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports come from below those that the system gives to outgoing connections
// (32768 and up on Linux), so that none of the load's takes the port of a
// server that is being restarted.
const (
	firstPort = 20_000
	lastPort  = 31_999
)

func freePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("launch: no free port on the loopback")
}
