package bench

import (
	"errors"
	"time"
)

// Run fails with an error that wraps ErrInterrupted when its context ends.
var ErrInterrupted = errors.New("bench: interrupted")

// afterInterrupt bounds each of what a run still does after somebody has ended
// it: to wait for answers under way, and to take the brokers away.
const afterInterrupt = 3 * time.Second
