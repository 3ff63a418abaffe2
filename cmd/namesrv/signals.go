package main

import (
	"os"
	"os/signal"
	"sync"
	"time"

	"gonamesrv/internal/logging"
)

// A signalCatcher serves the signals that do not end a server: SIGQUIT writes
// the stacks of all goroutines, as with a JVM, and SIGHUP reloads. Where there
// are none it does nothing.
type signalCatcher struct {
	received chan os.Signal
	ended    chan struct{}

	mu     sync.Mutex
	reload func() // under mu; nil while there is nothing to reload
}

// catchSignals serves signals until end is called, also those that came before
// there was a server. Stacks go to stderr.
func catchSignals(stderr *logging.Queue) *signalCatcher {
	c := &signalCatcher{received: make(chan os.Signal, 8), ended: make(chan struct{})}
	if len(caughtSignals) > 0 {
		signal.Notify(c.received, caughtSignals...)
	}
	go func() {
		defer close(c.ended)
		for sig := range c.received {
			if isStackSignal(sig) {
				logging.WriteStacks(stderr, time.Now())
				continue
			}
			c.mu.Lock()
			reload := c.reload
			c.mu.Unlock()
			if reload != nil {
				reload()
			}
		}
	}()
	return c
}

// onReload sets what SIGHUP does.
func (c *signalCatcher) onReload(reload func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reload = reload
}

// end stops catching signals. A signal then ends the program, which is about to end
// anyway.
func (c *signalCatcher) end() {
	signal.Stop(c.received)
	close(c.received)
	<-c.ended
}
