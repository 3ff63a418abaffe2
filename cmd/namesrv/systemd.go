package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// systemdTick is how often systemd is told what the server does, if it does not want
// to know more often that the server lives.
const systemdTick = 5 * time.Second

// A systemd tells the service manager what becomes of the server (sd_notify(3)). It is
// a component: the first that starts and the last that ends.
type systemd struct {
	alive  func() bool
	status func() string
	log    *slog.Logger

	every    time.Duration
	watchdog bool // systemd wants to be told that the server lives
	news     chan news
	stop     chan struct{}
	ended    chan struct{}

	serves bool   // peers are served
	said   string // the last status
	failed bool   // the log has been told that it cannot be said
}

// A news is what has happened.
type news uint8

const (
	nowServing news = iota
	nowReloading
	nowReloaded
)

// newSystemd returns nil when nobody wants to be told.
func newSystemd(alive func() bool, status func() string, log *slog.Logger) *systemd {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	n := &systemd{
		alive: alive, status: status, log: log, every: systemdTick,
		news: make(chan news, 16), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd is not told that the server lives", "err", err)
	}
	if interval > 0 {
		n.watchdog, n.every = true, min(interval/2, systemdTick)
	}
	return n
}

// Start implements component.Component.
func (n *systemd) Start(ctx context.Context) error {
	go n.run(ctx.Done())
	return nil
}

// Stop implements component.Component.
func (n *systemd) Stop(ctx context.Context) {
	close(n.stop)
	select {
	case <-n.ended:
	case <-ctx.Done():
	}
}

// run says what there is to say until Stop. told is closed when the server was told to
// end.
func (n *systemd) run(told <-chan struct{}) {
	defer close(n.ended)
	tick := time.NewTicker(n.every)
	defer tick.Stop()
	draining := false
	for {
		select {
		case <-n.stop:
			return
		case happened := <-n.news:
			if !draining {
				n.tell(happened)
			}
		case <-told:
			told, draining = nil, true
			n.say(daemon.SdNotifyStopping)
		case <-tick.C:
		}
		if n.watchdog && n.alive() {
			n.say(daemon.SdNotifyWatchdog)
		}
		if draining { // a drain may last longer than systemd waits by itself
			n.say(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (n.every + 10*time.Second).Microseconds()))
		}
		if status := n.status(); status != n.said {
			n.say("STATUS=" + status)
			n.said = status
		}
	}
}

// has notes what has happened. Safe from any goroutine, and on nil; it does not wait.
func (n *systemd) has(happened news) {
	if n == nil {
		return
	}
	select {
	case n.news <- happened:
	default: // somebody reloads without end
	}
}

// tell says what has happened. A server that reloads before it serves is not ready
// after that.
func (n *systemd) tell(happened news) {
	n.serves = n.serves || happened == nowServing
	switch {
	case !n.serves:
	case happened == nowReloading:
		n.say(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	default:
		n.say(daemon.SdNotifyReady)
	}
}

func (n *systemd) say(text string) {
	if _, err := daemon.SdNotify(false, text); err != nil && !n.failed {
		n.failed = true
		n.log.Warn("systemd cannot be told anything", "err", err)
	}
}
