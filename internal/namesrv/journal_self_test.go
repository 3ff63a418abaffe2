package namesrv

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/route"
)

// TestJournalOfItself looks at a server again and again, by a clock of its own: each state
// is told once, and what strangers can cause is summed up, however often it happens.
func TestJournalOfItself(t *testing.T) {
	s := everythingOn(t, io.Discard)
	defer func() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Run(ctx) // closes what is bound
	}()
	s.product = nil // or nobody waits
	cfg := *s.config()
	cfg.NeedWaitForService, cfg.WaitSecondsForService = true, 45
	s.live.Store(&cfg)
	now := time.Second
	s.uptime = func() time.Duration { return now }
	var w selfWatch
	look := func(want ...string) {
		t.Helper()
		before := s.journal.Newest()
		s.lookAtSelf(&w)
		var got []string
		events, _, _ := s.journal.Read(before, nil, 0)
		for _, e := range events {
			if e.Seq > before {
				got = append(got, strings.TrimSpace(e.Type.String()+" "+e.Details.Reason))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	look() // nobody is served yet
	close(s.ready)
	look("server.notReady needWaitForService")
	look()
	now = 46 * time.Second
	look("server.ready")
	look()
	shed := &s.dispatch.other.counts.refused[reasonNoMemory]
	shed.Add(5)
	look("budget.shed memoryBudget")
	for range 59 {
		now += time.Second
		shed.Add(1000)
		look()
	}
	now += time.Second
	look("budget.shed memoryBudget")
	if last := s.journal.Last(nil, 1)[0]; last.Details.Count != 59_000 {
		t.Errorf("%d are summed up", last.Details.Count)
	}
	look()
}

// TestJournalOfProtectionAndTLS gives each kind of event of theirs a type.
func TestJournalOfProtectionAndTLS(t *testing.T) {
	s := everythingOn(t, io.Discard)
	defer func() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Run(ctx)
	}()
	var events []route.ProtectionEvent
	for kind := range protectionLines {
		events = append(events, route.ProtectionEvent{Kind: route.ProtectionEventKind(kind), Cluster: "c", Brokers: 3, Cause: "why"})
	}
	before := s.journal.Newest()
	s.logProtection(events)
	s.tls.tell(nil)
	s.tls.tell(errors.New("no file"))
	told, _, _ := s.journal.Read(0, nil, 0)
	var got []string
	for _, e := range told {
		if e.Seq > before {
			got = append(got, e.Type.String()+": "+e.Details.Reason)
		}
	}
	want := []string{
		"protection.entered: why", "protection.left: why", "protection.ceiling: why", "protection.released: why", "protection.massClose: why",
		"tls.reloaded: in force for new connections", "tls.reloaded: cannot be used: no file",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %q\nwant %q", got, want)
	}
}

// TestHistoryBytes: a small machine keeps less.
func TestHistoryBytes(t *testing.T) {
	for _, c := range []struct{ budget, memory, want int64 }{
		{32 << 20, 8 << 30, 32 << 20}, {32 << 20, 64 << 20, 4 << 20}, {0, 8 << 30, -1}, {1, 8 << 30, 1},
	} {
		if got := (&Config{HistoryBudget: c.budget}).historyBytes(c.memory); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
