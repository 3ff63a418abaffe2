package namesrv

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-json"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// notCounters are parts of the paths of atomic numbers that are no counters, or that
// are read elsewhere.
var notCounters = map[string]string{
	"engine.drainDue":   "what a drain has left to do, for itself",
	"engine.lastAccept": "a time",
	"late.last":         "a time",
	"keeper.urgent":     "the number of a View",
	"journal.given":     "the number of an event, which shown is a moment later",
	"bufs.":             "free memory that is kept",
	".lacking":          "what the next sweep is to make room for; CacheMisfits counts",
	".hand":             "where the next sweep goes on",
	"Log.":              "a time, and lines held back: HeldLines, TestHeldLinesAreCounted",
	"Logs[":             "the same",
}

func isNoCounter(path string) bool {
	for part := range notCounters {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// TestSnapshotShowsEveryCounter sets each counter of each part of a server to a
// number that nothing else has, one after the other, and finds it in the Snapshot:
// a counter that it leaves out has no reader.
func TestSnapshotShowsEveryCounter(t *testing.T) {
	s := everythingOn(t, io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.engine.Run(ctx); err != nil { // it has been started, so that all parts are shown
		t.Fatal(err)
	}
	if err := s.startPools(ctx); err != nil {
		t.Fatal(err)
	}
	defer s.stopPools(ctx)
	defer s.Run(ctx) // closes what is bound
	for part, p := range map[string]struct {
		counters map[string]func(int64)
		atLeast  int
	}{
		"engine":         {nstest.Counters(s.engine, "loops"), 20},
		"table":          {nstest.Counters(s.table, "cache"), 10},
		"client pool":    {nstest.Counters(s.pools.client, "levels"), 5},
		"pool":           {nstest.Counters(s.pools.regular, "levels"), 10},
		"budget":         {nstest.Counters(s.budget), 2},
		"route requests": {nstest.Counters(&s.dispatch.of(codec.ReqGetRouteInfoByTopic).counts), 20},
		"other requests": {nstest.Counters(&s.dispatch.other.counts), 20},
		"tallies":        {talliesCounters(s), int(numOutcomes) + 1},
		"scan":           {nstest.Counters(&s.scanTime), 1},
		"bodies":         {nstest.Counters(&s.bodyBytes), 1},
		"KV config":      {nstest.Counters(s.kv), 3},
		"arrivals":       {map[string]func(int64){"": func(n int64) { s.arrivals.Store(uint64(n)) }}, 1},
		"events":         {nstest.Counters(&s.happened), len(eventNames)},
		"TLS":            {nstest.Counters(s.tls), 2},
		"misses":         {nstest.Counters(s.damper), 3},
		"address server": {nstest.Counters(s.addresses.http), 3},
		"keeper":         {nstest.Counters(s.keeper), 4},
		"horizons":       {nstest.Counters(s.horizons.inForce.Load(), "all", "counts", "rules", "hits"), 6},
		"horizon file": {map[string]func(int64){
			"generation": func(n int64) { s.horizons.stats.Generation = uint64(n) },
			"failures":   func(n int64) { s.horizons.stats.Failures = uint64(n) },
		}, 2},
		"access": {nstest.Counters(s.rules), 2 * numRights * int(numGroups)},
		"access file": {map[string]func(int64){
			"generation": func(n int64) { s.rules.stats.Generation = uint64(n) },
			"failures":   func(n int64) { s.rules.stats.Failures = uint64(n) },
		}, 2},
		"audit log":    {nstest.Counters(s.audit), 4},
		"audit limits": {nstest.Counters(s.auditLimit), 1},
		"peers": {map[string]func(int64){
			"checks": func(n int64) { s.peers.list[0].stats.Checks = uint64(n) },
			"failed": func(n int64) { s.peers.list[0].stats.Failed = uint64(n) },
		}, 2},
		"journal": {nstest.Counters(s.journal), 30},
		"clock":   {nstest.Counters(s.clock), 2},
		"notices": {map[string]func(int64){
			"sent":       func(n int64) { s.notifier.counts.sent = n },
			"failed":     func(n int64) { s.notifier.counts.failed = n },
			"overtaken":  func(n int64) { s.notifier.counts.overtaken = n },
			"dropped":    func(n int64) { s.notifier.counts.dropped = n },
			"passedOver": func(n int64) { s.notifier.counts.passedOver = n },
		}, 5},
	} {
		if len(p.counters) < p.atLeast {
			t.Errorf("%s: only %d counters are found", part, len(p.counters))
		}
		for name, set := range p.counters {
			const mark = 1_234_567_891
			path := part + "." + name
			if isNoCounter(path) {
				continue
			}
			set(mark)
			if nstest.Numbers(s.Snapshot())[mark] == "" && nstest.Numbers(s.Meters())[mark] == "" {
				t.Errorf("%s is in no field of the Snapshot, nor of the Meters", path)
			}
			set(0)
		}
	}
}

// talliesCounters returns the counters of the last tally that requests can come to, and
// of a tally's histograms.
func talliesCounters(s *Server) map[string]func(int64) {
	found := map[string]func(int64){}
	for w := range s.dispatch.all {
		for o := range numOutcomes {
			found[w.name()+" "+o.String()] = func(n int64) { s.tallies.workers.counts[w.index][o].Store(uint64(n)) }
		}
		for name, set := range nstest.Counters(s.tallies.all[0].duration(w)) {
			found[w.name()+" "+name] = set
		}
	}
	return found
}

// TestSnapshotJSON encodes a Snapshot with the encoder of the project: always the
// same, with the names and the order of the fields, as encoding/json has it.
func TestSnapshotJSON(t *testing.T) {
	s := everythingOn(t, io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	snap := s.Snapshot()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(snap)
	std, _ := stdjson.Marshal(snap)
	if !bytes.Equal(text, again) || !bytes.Equal(text, std) {
		t.Errorf("encoded as\n%s, then as\n%s, by encoding/json as\n%s", text, again, std)
	}
	var back Snapshot
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if second, _ := json.Marshal(back); !bytes.Equal(text, second) {
		t.Errorf("read back it is\n%s, want\n%s", second, text)
	}
	var keys []string
	d := stdjson.NewDecoder(bytes.NewReader(text))
	d.Token()
	for d.More() {
		key, _ := d.Token()
		keys = append(keys, key.(string))
		var value stdjson.RawMessage
		d.Decode(&value)
	}
	want := []string{
		"Version", "State", "RoutesGiven", "Started", "Uptime", "Addresses", "Engine", "Limits", "QueuedBytes",
		"ClientPool", "DefaultPool", "Registrations", "Requests", "Registered", "Clients", "Table", "Events", "Routes", "Horizons", "Access", "Audit", "KVConfig", "Notices", "Misses", "Protection", "Journal", "AddressServer", "TLS", "Peers", "Log", "Reloads", "Config",
	}
	if !slices.Equal(keys, want) {
		t.Errorf("its parts are %q, want %q", keys, want)
	}
	for _, name := range []string{"Open", "ClosedFlood", "Rejected", "MaxConnections", "Registrations", "CachedBytes", "topic name length", "PassedOver"} {
		if !bytes.Contains(text, []byte(`"`+name+`"`)) {
			t.Errorf("%s is not in %s", name, text)
		}
	}
}

// TestSnapshotOfALife looks at a server all the time, from New to its end.
func TestSnapshotOfALife(t *testing.T) {
	s := everythingOn(t, io.Discard)
	cfg := *s.config()
	cfg.EnableShutdownGracefully, cfg.ShutdownWaitTime = true, time.Hour
	s.live.Store(&cfg)
	over, watched := make(chan struct{}), make(chan []State)
	go func() {
		var seen []State
		for {
			state := s.Snapshot().State
			if len(seen) == 0 || seen[len(seen)-1] != state {
				seen = append(seen, state)
			}
			select {
			case <-over:
				watched <- seen
				return
			default:
			}
		}
	}()
	eventually := func(state State) Snapshot {
		t.Helper()
		nstest.Eventually(t, string(state), func() bool { return s.Snapshot().State == state })
		return s.Snapshot()
	}
	if snap := eventually(StateStarting); snap.RoutesGiven || snap.Limits.Loops != 0 || snap.Version != Version() || snap.Started.IsZero() {
		t.Errorf("while it starts it is %+v", snap)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	snap := eventually(StateServing)
	if !snap.RoutesGiven {
		t.Error("routes are not given")
	}
	if snap.Limits.Loops < 1 || snap.Limits.MaxFrame < codec.MaxFrameLength || snap.Limits.BudgetBytes != s.budget.Limit() ||
		snap.DefaultPool.InForce.Workers != 16 || len(snap.DefaultPool.InForce.Levels) != 4 || snap.DefaultPool.InForce.Levels[1].Queue != 10_000 ||
		len(snap.Addresses) != 1 || snap.Addresses[0] != s.Addr().String() || snap.Table.Limits.Topics == 0 || snap.KVConfig.MaxBytes == 0 {
		t.Errorf("while it serves it is %+v", snap)
	}
	c := nstest.Dial(t, s.Addr().String())
	c.Do(nstest.Route("T"))
	if snap := s.Snapshot(); snap.Engine.Open != 1 || snap.Engine.Frames != 1 || snap.DefaultPool.Completed != 1 {
		t.Errorf("after one request, which a pool has served, it is %+v", snap)
	}
	cancel()
	if snap := eventually(StateDraining); !snap.RoutesGiven || snap.Engine.Open != 1 {
		t.Errorf("while it drains it is %+v", snap)
	}
	c.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if snap := eventually(StateStopped); snap.RoutesGiven || snap.Engine.Open != 0 || snap.Engine.Frames != 1 {
		t.Errorf("in the end it is %+v", snap)
	}
	close(over)
	order := []State{StateStarting, StateServing, StateDraining, StateStopped}
	for i, state := range <-watched {
		if at := slices.Index(order, state); at < i {
			t.Errorf("state %d was %s", i, state)
		}
	}
}

// TestRoutesGiven asks for a route and looks whether the Snapshot said what would
// come of it, in both modes: in cluster-test mode nobody waits.
func TestRoutesGiven(t *testing.T) {
	for _, clusterTest := range []bool{false, true} {
		cfg := DefaultConfig()
		cfg.BindAddress, cfg.ListenPort, cfg.KVConfigPath = "127.0.0.1", 0, ""
		cfg.NeedWaitForService, cfg.WaitSecondsForService = true, 3600
		cfg.ClusterTest, cfg.ProductNamesrvAddr = clusterTest, "127.0.0.1:1"
		s, err := New(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		<-s.Ready()
		c := nstest.Dial(t, s.Addr().String())
		reply := c.Do(nstest.Route("T"))
		c.Close()
		waits := codec.ResponseCode(reply.Code) == codec.RespSystemError
		if waits == clusterTest || s.Snapshot().RoutesGiven == waits {
			t.Errorf("clusterTest=%v: answered %v, RoutesGiven %v", clusterTest, codec.ResponseCode(reply.Code), s.Snapshot().RoutesGiven)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestSnapshotHidesSecrets: passwords, and what sounds like one, are not in it.
func TestSnapshotHidesSecrets(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KVConfigPath = ""
	cfg.TLS.ServerKeyPassword, cfg.TLS.ClientKeyPassword = "geheim", "geheim"
	cfg.Unknown = []codec.Field{{Name: "myToken", Value: "geheim"}, {Name: "long", Value: strings.Repeat("x", 10_000)}}
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot()
	text, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("geheim")) || !bytes.Contains(text, []byte(`{"Key":"myToken","Value":"`+hidden+`"}`)) {
		t.Errorf("it is %s", text)
	}
	if bytes.Contains(text, bytes.Repeat([]byte("x"), 1000)) {
		t.Error("a long text is not clipped")
	}
	if !slices.Contains(snap.Config, Setting{"listenPort", "9876"}) {
		t.Errorf("listenPort is not in %v", snap.Config)
	}
}

// BenchmarkSnapshot is what one Snapshot costs.
func BenchmarkSnapshot(b *testing.B) {
	cfg := DefaultConfig()
	cfg.KVConfigPath = ""
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Snapshot()
	}
}
