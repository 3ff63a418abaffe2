package namesrv

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/time/rate"

	"gonamesrv/engine"
	"gonamesrv/route"
)

// TestEventLog writes a line for each kind of event, and no more lines than it
// may; it says how many it has held back.
func TestEventLog(t *testing.T) {
	var out bytes.Buffer
	s := &Server{log: slog.New(slog.NewTextHandler(&out, nil)), events: newEventLog(), clock: engine.NewClock()}
	for kind := range eventLines {
		out.Reset()
		s.logEvent(route.Event{Kind: route.EventKind(kind), Cluster: "C", BrokerName: "a", BrokerID: 7, Addr: "a:1"})
		if line := out.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "cluster=C broker=a") || strings.Contains(line, `msg=""`) {
			t.Errorf("event %d gives %q", kind, line)
		}
	}
	out.Reset()
	s.events.byKind[route.BrokerRegistered].limit = rate.NewLimiter(0, 3)
	for range 10 {
		s.logEvent(route.Event{Kind: route.BrokerRegistered})
	}
	if got := strings.Count(out.String(), "\n"); got != 3 {
		t.Errorf("%d lines, want 3", got)
	}
	s.logEvent(route.Event{Kind: route.BrokerExpired})
	if got := strings.Count(out.String(), "broker expired"); got != 1 {
		t.Error("a flood of one kind hides another")
	}
	out.Reset()
	s.events.byKind[route.BrokerRegistered].limit = rate.NewLimiter(rate.Inf, 0)
	s.logEvent(route.Event{Kind: route.BrokerRegistered})
	if !strings.Contains(out.String(), "suppressed=7") {
		t.Errorf("the lines held back are not counted: %q", out.String())
	}
}
