package bench

import (
	"context"
	"fmt"
	"time"
)

// Reach finds out within so long whether somebody listens on an address.
func Reach(ctx context.Context, address string, within time.Duration) error {
	return (&dialer{address: address, within: within}).reach(ctx)
}

// reach connects once, and with TLS shakes hands.
func (d *dialer) reach(ctx context.Context) error {
	conn, err := d.dial(ctx)
	if err != nil {
		return fmt.Errorf("target %s cannot be reached: connect: %w", d.address, err)
	}
	conn.Close()
	return nil
}
