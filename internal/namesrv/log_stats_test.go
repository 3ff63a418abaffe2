package namesrv

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// TestHeldLinesAreCounted: whatever holds lines back, the Snapshot says how many, by
// kind, and goes on counting when a line has said it.
func TestHeldLinesAreCounted(t *testing.T) {
	s := everythingOn(t, io.Discard)
	s.OnLogStats(func() (stderr, file uint64) { return 11, 12 })
	held := func(kind string) uint64 {
		for _, h := range s.Snapshot().Log.Held {
			if h.Kind == kind {
				return h.Lines
			}
		}
		return 0
	}
	reg := &route.Registration{Changes: route.TopicChanges{New: 1, NewNames: []string{"T"}}}
	change := &adminChange{Code: codec.ReqPutKVConfig, Remote: "10.0.0.1:1", Changed: true}
	s.changeLog.allow(change)
	for _, tc := range []struct {
		kind string
		hold func(bool) // what is to come is held back, or is not
		say  func()
	}{
		{"broker registered", func(yes bool) { s.events.byKind[route.BrokerRegistered].limit = limiter(yes) }, func() { s.logEvent(route.Event{Kind: route.BrokerRegistered}) }},
		{"topics changed", func(yes bool) { s.events.topics.limit = limiter(yes) }, func() { s.noteTopics(reg) }},
		{"again and again", func(yes bool) { s.lines.every = every(yes) }, func() { s.logLimited(slog.LevelWarn, "again and again", func() []any { return nil }) }},
		{"admin change PUT_KV_CONFIG", func(yes bool) { s.changeLog.byKind[changeKind{codec.ReqPutKVConfig, true}].limit = limiter(yes) }, func() { s.changeLog.write(s.log.Handler(), change) }},
	} {
		tc.hold(false)
		tc.say() // a line, so that there is a last one
		if n := held(tc.kind); n != 0 {
			t.Errorf("%s: %d lines are held back from the start", tc.kind, n)
		}
		for range 2 { // a line between them says how many
			tc.hold(true)
			for range 7 {
				tc.say()
			}
			tc.hold(false)
			tc.say()
		}
		if n := held(tc.kind); n != 14 {
			t.Errorf("%s: %d lines are held back, want 14", tc.kind, n)
		}
	}
	counters := nstest.Counters(s.engine)
	counters["tooFastLog.total"](5)
	counters["closedLogs[3].total"](6)
	if n := held("an address asks too fast"); n != 5 {
		t.Errorf("of the engine %d lines are held back, want 5", n)
	}
	if n := held("malformed frame"); n != 6 {
		t.Errorf("of malformed frames %d lines are held back, want 6", n)
	}
	if l := s.Snapshot().Log; l.StderrDropped != 11 || l.FileDropped != 12 {
		t.Errorf("of lines that are lost it says %+v", l)
	}
}

func limiter(holds bool) *rate.Limiter {
	if holds {
		return rate.NewLimiter(0, 0)
	}
	return rate.NewLimiter(rate.Inf, 0)
}

func every(holds bool) time.Duration {
	if holds {
		return time.Hour
	}
	return -1
}
