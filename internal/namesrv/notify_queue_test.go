package namesrv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// A sending is one call of a notifier's send, which waits for its end.
type sending struct {
	addr string
	min  string // minBrokerId
	end  chan error
}

// notifierFor returns a notifier that asks the test for the outcome of every
// sending, and takes no notice for outdated.
func notifierFor(t *testing.T) (*notifier, chan sending) {
	t.Helper()
	sendings := make(chan sending)
	n := newNotifier(&Server{log: slog.New(slog.DiscardHandler)})
	n.serializeType = func() codec.SerializeType { return codec.SerializeJSON }
	n.isCurrent = func(string, *route.MinBrokerIDChange) bool { return true }
	n.send = func(ctx context.Context, addr string, frame []byte) error {
		var cmd codec.Command
		if err := cmd.Decode(frame); err != nil {
			t.Error(err)
		}
		minID, _ := cmd.Ext.Get("minBrokerId")
		s := sending{addr, string(minID), make(chan error)}
		select {
		case sendings <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case err := <-s.end:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return n, sendings
}

func change(minID int64, receivers ...string) *route.MinBrokerIDChange {
	return &route.MinBrokerIDChange{MinBrokerID: minID, MinBrokerAddr: "m:1", Receivers: func() []string { return slices.Clone(receivers) }}
}

// finish lets a sending end and checks what it was.
func (s sending) finish(t *testing.T, addr, minID string) {
	t.Helper()
	if s.addr != addr || s.min != minID {
		t.Errorf("%s is told of %s, want %s of %s", s.addr, s.min, addr, minID)
	}
	s.end <- nil
}

func (n *notifier) settled(t *testing.T) noticeCounts {
	t.Helper()
	nstest.Eventually(t, "no sender is left", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.running == 0
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) > 0 || len(n.byName) > 0 || len(n.busy) > 0 {
		t.Errorf("left over: %d waiting, %d by name, %d busy", len(n.waiting), len(n.byName), len(n.busy))
	}
	return n.counts
}

// TestNoticesOvertaken posts three changes while the first is being sent: the
// second is never sent.
func TestNoticesOvertaken(t *testing.T) {
	n, sendings := notifierFor(t)
	n.post("b", change(1, "r:1"))
	first := <-sendings
	n.post("b", change(2, "r:1", "gone:1"))
	gone := <-sendings // r:1 is busy
	n.post("b", change(3, "r:1"))
	gone.finish(t, "gone:1", "2")
	first.finish(t, "r:1", "1")
	(<-sendings).finish(t, "r:1", "3")
	if got, want := n.settled(t), (noticeCounts{sent: 3, overtaken: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// TestNoticesDeadReceiver has one receiver that never answers among many.
func TestNoticesDeadReceiver(t *testing.T) {
	n, sendings := notifierFor(t)
	n.post("b", change(1, "dead:1", "r:1", "r:2"))
	var dead sending
	for range 3 {
		s := <-sendings
		if s.addr == "dead:1" {
			dead = s
			continue
		}
		s.end <- nil
	}
	n.post("b", change(2, "dead:1", "r:1"))
	(<-sendings).finish(t, "r:1", "2")
	dead.end <- errors.New("connection timed out")
	(<-sendings).finish(t, "dead:1", "2")
	if got, want := n.settled(t), (noticeCounts{sent: 4, failed: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// TestNoticesAreBounded posts more than may be sent at a time, and more than
// may wait.
func TestNoticesAreBounded(t *testing.T) {
	n, sendings := notifierFor(t)
	var under []sending
	for i := range notifySenders {
		n.post(fmt.Sprint("busy-", i), change(1, fmt.Sprint("r:", i)))
		under = append(under, <-sendings)
	}
	const extra = 3
	for i := range notifyNames + extra {
		n.post(fmt.Sprint("b", i), change(1, fmt.Sprintf("w:%d", i)))
	}
	n.mu.Lock()
	running, waiting, counts := n.running, len(n.waiting), n.counts
	n.mu.Unlock()
	if running != notifySenders || waiting != notifyNames || counts.dropped != extra {
		t.Errorf("%d senders, %d names waiting, %d dropped; want %d, %d and %d", running, waiting, counts.dropped, notifySenders, notifyNames, extra)
	}
	under[0].end <- nil
	(<-sendings).finish(t, fmt.Sprint("w:", extra), "1") // the oldest that is left
	n.Stop(t.Context())
	n.post("late", change(1, "r:1"))
	if got := n.settled(t); got.sent != 2 || got.failed < notifySenders-1 {
		t.Errorf("counted %+v at the end", got)
	}
}

// TestNoticesPassedOver posts what cannot be told, or is no longer true.
func TestNoticesPassedOver(t *testing.T) {
	n, _ := notifierFor(t)
	n.post("b", change(1))
	long := change(1, "r:1")
	long.HABrokerAddr = strings.Repeat("x", notifyAddrBytes)
	n.post("b", long)
	n.isCurrent = func(string, *route.MinBrokerIDChange) bool { return false }
	n.post("b", change(1, "r:1"))
	if got, want := n.settled(t), (noticeCounts{passedOver: 3}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}
