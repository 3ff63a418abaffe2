package bench

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Reach finds out within so long, and at most 10 s, whether somebody listens on
// an address.
func Reach(ctx context.Context, address string, within time.Duration) error {
	dialer := net.Dialer{Timeout: min(within, connectTimeout)}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("target %s cannot be reached: connect: %w", address, err)
	}
	conn.Close()
	return nil
}
