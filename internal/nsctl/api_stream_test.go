package nsctl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-json"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// seqs returns the numbers of the events in lines of `events -f -o json`.
func seqs(t *testing.T, out string) (all []uint64) {
	t.Helper()
	for line := range strings.Lines(out) {
		var got struct {
			Event journalEvent `json:"event"`
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		all = append(all, got.Event.number())
	}
	return all
}

// inOrder demands that each event comes once, from the first to the last.
func inOrder(t *testing.T, all []uint64) {
	t.Helper()
	for i := 1; i < len(all); i++ {
		if all[i] != all[i-1]+1 {
			t.Fatalf("event %d comes after %d: %d", all[i], all[i-1], all)
		}
	}
}

// TestEventsFollow: what happens while the connection is lost is told once it is back; no
// event is lost or comes twice, however often it is cut off.
func TestEventsFollow(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, nil)
	w := startAPI(t, "--admin", s.url, "events", "-f", "-o", "json", "--since", "0")
	w.sees("server.ready")
	n := 0
	register := func() {
		n++
		s.register("c", fmt.Sprintf("broker-%d", n), fmt.Sprintf("10.0.0.%d:1", n), 0, fmt.Sprintf("T%d", n), "U")
	}
	for range 5 {
		register()
		w.sees(fmt.Sprintf(`"broker":"broker-%d"`, n))
		s.cut()
		register()
		register()
		s.down.Store(false)
		w.sees(fmt.Sprintf(`"topics.changed","cause":{"kind":"register"},"cluster":"c","broker":"broker-%d"`, n))
		s.web.CloseClientConnections() // now the next ones come on a connection that comes back at once
	}
	register()
	w.sees(fmt.Sprintf(`"topics.changed","cause":{"kind":"register"},"cluster":"c","broker":"broker-%d"`, n))
	w.ctrlC()
	if code := w.wait(); code != exitYes {
		t.Errorf("exit %d", code)
	}
	all := seqs(t, w.out.String())
	inOrder(t, all)
	if len(all) < 2+2*n || all[0] != 1 {
		t.Errorf("%d events, from %d: %d brokers", len(all), all[0], n)
	}
	if !strings.Contains(w.err.String(), "connection lost") {
		t.Errorf("it does not say that the connection was lost: %s", w.err.String())
	}
}

// TestEventsFollowRestart: a server that has started again is said to have, and its new
// events are told from the first on.
func TestEventsFollowRestart(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, nil)
	w := startAPI(t, "--admin", s.url, "events", "-f", "-o", "json", "--type", "server.ready,broker.registered")
	w.sees("server.ready")
	s.cut()
	s.stop()
	s.start()
	s.register("c", "early", "10.0.0.1:1", 0, "T", "U")
	s.down.Store(false)
	w.sees(`"early"`)
	s.register("c", "late", "10.0.0.2:1", 0, "T", "U")
	w.sees(`"late"`)
	w.ctrlC()
	w.wait()
	if out := w.out.String(); strings.Count(out, "server.ready") != 2 || strings.Count(out, `"early"`) != 1 || strings.Count(out, "topics.changed") != 0 {
		t.Error(out)
	}
	if !strings.Contains(w.err.String(), "the server has started again") {
		t.Error(w.err.String())
	}
}

// TestEventsFollowGap: events that the server has let go of are said to be missing, and
// those that it still has are told.
func TestEventsFollowGap(t *testing.T) {
	t.Parallel()
	const kept = 1024
	s := newAPIServer(t, func(c *namesrv.Config) { c.JournalSize = kept })
	w := startAPI(t, "--admin", s.url, "events", "-f", "-o", "json", "--since", "0")
	w.sees("server.ready")
	s.cut()
	conn := nstest.Dial(t, s.addr)
	const brokers = 1000 // of two events each; a connection has no more
	for i := range brokers {
		b := nstest.Broker{Cluster: "c", Name: fmt.Sprintf("broker-%d", i), Addr: fmt.Sprintf("10.0.%d.%d:1", i/250, i%250+1), Counter: 1, Topics: []string{"T", "U"}}
		if reply := conn.Do(b.Register()); reply.Code != 0 {
			t.Fatalf("%s", reply.Remark)
		}
	}
	s.down.Store(false)
	w.sees(fmt.Sprintf(`"topics.changed","cause":{"kind":"register"},"cluster":"c","broker":"broker-%d"`, brokers-1))
	w.ctrlC()
	w.wait()
	var from, to uint64
	for line := range strings.Lines(w.err.String()) {
		if i := strings.Index(line, "events "); i >= 0 && strings.Contains(line, "are missing") {
			fmt.Sscanf(line[i:], "events %d to %d are missing", &from, &to)
		}
	}
	all := seqs(t, w.out.String())
	var before, after []uint64
	for _, n := range all {
		if n < from {
			before = append(before, n)
		} else {
			after = append(after, n)
		}
	}
	inOrder(t, before)
	inOrder(t, after)
	if from == 0 || len(before) == 0 || len(after) == 0 {
		t.Fatalf("missing are %d to %d: %d and %d: %s", from, to, len(before), len(after), w.err.String())
	}
	if before[len(before)-1] != from-1 || after[0] != to+1 {
		t.Errorf("events up to %d and from %d, missing are %d to %d: %s", before[len(before)-1], after[0], from, to, w.err.String())
	}
}

// TestWatchTopic tells each change once, over a lost connection and a restart.
func TestWatchTopic(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, nil)
	w := startAPI(t, "--admin", s.url, "watch", "topic", "T", "none")
	w.sees("topic  T  not routed")
	w.sees("topic  none  not routed")
	s.register("c", "a", "10.0.0.1:1", 0, "T", "U")
	w.sees("topic  T  routed: a 4/4 perm 6, a is 0@10.0.0.1:1")
	s.cut()
	s.register("c", "b", "10.0.0.2:1", 0, "T", "U")
	s.down.Store(false)
	w.sees("topic  T  routed: a 4/4 perm 6, b 4/4 perm 6, a is 0@10.0.0.1:1, b is 0@10.0.0.2:1")
	s.cut()
	s.stop()
	s.start()
	s.down.Store(false)
	w.sees("the server has started again")
	s.register("c", "c", "10.0.0.3:1", 0, "T", "U")
	w.sees("topic  T  routed: c 4/4 perm 6")
	w.ctrlC()
	if code := w.wait(); code != exitYes {
		t.Errorf("exit %d", code)
	}
	if out := w.out.String(); strings.Count(out, "topic  none") != 1 || strings.Count(out, "topic  T  not routed") != 2 {
		t.Errorf("%s", out)
	}
}

// TestWatchBrokers tells of brokers that come, and of those that have gone while nobody
// was there.
func TestWatchBrokers(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, nil)
	w := startAPI(t, "--admin", s.url, "watch", "brokers", "-o", "json")
	s.register("c", "a", "10.0.0.1:1", 0, "T", "U")
	w.sees(`"broker":"a","registered":true`)
	s.cut()
	s.stop()
	s.start()
	s.register("c", "b", "10.0.0.2:1", 0, "T", "U")
	s.down.Store(false)
	w.sees(`"broker":"b","registered":true`)
	w.sees(`"broker":"a","registered":false`)
	w.ctrlC()
	w.wait()
	for line := range strings.Lines(w.out.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil || v["server"] == nil || v["is"] == nil {
			t.Errorf("%v: %q", err, line)
		}
	}
}

// TestFollowTwoServers: one of them goes, the other one is still told of.
func TestFollowTwoServers(t *testing.T) {
	t.Parallel()
	s, other := newAPIServer(t, nil), newAPIServer(t, nil)
	other.register("c", "of-other", "10.0.0.9:1", 0, "T", "U")
	w := startAPI(t, "--admin", s.url+";"+other.url+";http://127.0.0.1:1", "events", "-f", "--type", "broker.*")
	w.sees("this needs a gonamesrv")
	w.sees("broker.registered  of-other:0")
	other.cut()
	w.sees("connection lost")
	s.register("c", "a", "10.0.0.1:1", 0, "T", "U")
	w.sees("broker.registered  a:0")
	w.ctrlC()
	if code := w.wait(); code != exitSome {
		t.Errorf("exit %d", code)
	}
}
