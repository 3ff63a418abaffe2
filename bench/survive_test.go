package bench_test

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/bench"
	"gonamesrv/codec"
)

// TestPause stops a server under load and lets it go on.
func TestPause(t *testing.T) {
	const away = 500 * time.Millisecond
	_, opt := startProcess(t)
	res := run(t, scenario(t, "pause", "away", away.String()), opt)
	wantMilestones(t, res, "server goes on", "first whole route", "every broker registered", "every route back")
	for _, m := range res.Milestones {
		if m.Seconds < away.Seconds() {
			t.Errorf("%s after %g s, while the server stood still", m.Name, m.Seconds)
		}
	}
	if v := res.Survival; v.Event != "pause" || v.Unreached > 0 || v.NotFound+v.Shrunken > 0 {
		t.Errorf("a short pause loses nothing, but %+v", v)
	}
}

// TestWarmUpIsCalm: a server is warmed up with the load of a scenario, and without what happens
// in it: a server that was killed would be cold again, one that was stopped would lose its
// brokers, and thresholds would be of phases that there are not.
func TestWarmUpIsCalm(t *testing.T) {
	for _, kind := range []string{"restart", "pause", "massclose", "partition", "returning"} {
		t.Run(kind, func(t *testing.T) {
			server, opt := startProcess(t)
			first := server.Target().PID
			sc := scenario(t, kind)
			sc.FailIf = []string{"after: route p99 > 9m"}
			res := run(t, sc.WarmUp(300*time.Millisecond), opt)
			if now := server.Target().PID; now != first {
				t.Errorf("the server is process %d, it was %d", now, first)
			}
			if len(res.Phases) != 1 || res.Phases[0].Seconds < 0.3 || res.WarmupSeconds > 0 || len(res.Milestones) > 0 || res.Survival != nil || len(res.Thresholds) > 0 {
				t.Errorf("%d phases, %g s of warm-up, milestones %+v, survival %+v", len(res.Phases), res.WarmupSeconds, res.Milestones, res.Survival)
			}
			if o := op(t, res, "before", "route"); o.Answered == 0 || len(o.Errors) > 0 {
				t.Errorf("%+v", o)
			}
			// The scenario itself is as it was.
			sc.FailIf = nil
			if res := run(t, sc, opt); len(res.Phases) != 3 || res.Survival == nil {
				t.Errorf("%d phases, survival %+v", len(res.Phases), res.Survival)
			}
		})
	}
}

// TestWarmUpOfWhatWasWritten: every kind of scenario can be warmed up for a time, whatever
// its user wrote of the warm-up.
func TestWarmUpOfWhatWasWritten(t *testing.T) {
	for _, k := range bench.Kinds() {
		sc := k.Scenario()
		for _, key := range k.Keys() {
			if text := map[string]string{"warmup": "still", "warmup-most": "7s", "duration": "7s"}[key]; text != "" {
				if err := sc.Set(key, text); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := sc.Validate(); err != nil {
			t.Fatal(err)
		}
		warm := sc.WarmUp(3 * time.Second)
		if err := warm.Validate(); err != nil || warm.Params.Warmup != 0 || warm.Params.Duration != bench.Duration(3*time.Second) {
			t.Errorf("%s: %v, %+v", k.Name, err, warm.Params)
		}
	}
}

// A loser is a fake server that loses brokers or whole routes from the moment a
// broker's connection ends until it has told readers so often enough.
type loser struct {
	*fakeServer
	lose   func(*codec.Reply)
	event  atomic.Bool // a connection has ended
	told   atomic.Int64
	enough chan struct{}
}

const toldOften = 50

func startLoser(t *testing.T, lose func(*codec.Reply)) *loser {
	l := &loser{lose: lose, enough: make(chan struct{})}
	var once sync.Once
	change := func(req *codec.Command, reply *codec.Reply) bool {
		if !isLoad(req) || !l.event.Load() || l.told.Load() >= toldOften {
			return true
		}
		if l.told.Add(1) >= toldOften {
			once.Do(func() { close(l.enough) })
		}
		l.lose(reply)
		return true
	}
	l.fakeServer = startFakeWith(t, func(f *fakeServer) {
		f.change = change
		f.before = func(req *codec.Command) {
			if req.Code == codec.ReqRegisterBroker && l.event.Load() {
				<-l.enough // nobody is back before the loss was seen
			}
		}
		f.closed = func() { l.event.Store(true) }
	})
	return l
}

// TestMassCloseCounts: what readers are told while brokers are away is counted,
// lost routes and shrunken ones apart.
func TestMassCloseCounts(t *testing.T) {
	// One reader in a closed loop: at most one reply that was spoiled belongs to
	// a request from before the event, and at most one comes after it.
	count := func(lose func(*codec.Reply)) *bench.Survival {
		l := startLoser(t, lose)
		res := run(t, scenario(t, "massclose", "connections", "1", "rate", "0", "topics", "3"), at(l.addr))
		wantMilestones(t, res, "every broker registered", "every route back")
		v := res.Survival
		if v.Lookups < toldOften-2 || v.LackingFrom <= 0 || v.LackingTo < v.LackingFrom || v.Brokers != 6 || v.Topics != 3 || v.RegistrationsMissed > 0 {
			t.Errorf("survival is %+v", v)
		}
		if back := res.Milestones[len(res.Milestones)-1]; back.Seconds < v.LackingTo {
			t.Errorf("all was well after %g s, but a route lacked brokers after %g s", back.Seconds, v.LackingTo)
		}
		return v
	}
	about := func(n uint64) bool { return n >= toldOften-2 && n <= toldOften+1 }
	lost := count(func(reply *codec.Reply) { reply.Code, reply.Body = codec.RespTopicNotExist, nil })
	if !about(lost.NotFound) || lost.Failed != lost.NotFound || lost.Shrunken > 0 || lost.TopicsLost == 0 || lost.TopicsShrunken > 0 || lost.BrokersLeftOut < 2 {
		t.Errorf("%d lookups found no topic; survival is %+v", toldOften, lost)
	}
	shrunken := count(func(reply *codec.Reply) {
		var route codec.TopicRouteData
		if route.Decode(reply.Body) == nil {
			route.BrokerDatas, route.QueueDatas = route.BrokerDatas[:1], route.QueueDatas[:1]
			reply.Body = route.AppendJSON(nil, codec.DialectStrict)
		}
	})
	if !about(shrunken.Shrunken) || shrunken.Failed > 0 || shrunken.TopicsLost > 0 || shrunken.TopicsShrunken == 0 || shrunken.BrokersLeftOut == 0 {
		t.Errorf("%d routes were shrunken; survival is %+v", toldOften, shrunken)
	}
}

// TestPartitionIsSilent: brokers that fall silent send nothing and keep their
// connections; the others go on.
func TestPartitionIsSilent(t *testing.T) {
	const away = 3 * time.Second
	var mu sync.Mutex
	last, gap := map[string]time.Time{}, map[string]time.Duration{}
	before := func(req *codec.Command) {
		if req.Code != codec.ReqRegisterBroker {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		name, _ := req.Ext.Get("brokerName")
		now := time.Now()
		if at, ok := last[string(name)]; ok {
			gap[string(name)] = max(gap[string(name)], now.Sub(at))
		}
		last[string(name)] = now
	}
	f := startFakeWith(t, func(f *fakeServer) { f.before = before })
	res := run(t, scenario(t, "partition", "away", away.String(), "period", "100ms", "share", "100", "brokers", "2"), at(f.addr))
	for name, g := range gap {
		if g < away/3 {
			t.Errorf("%s was not silent for longer than %v", name, g)
		}
	}
	if len(gap) != 2 {
		t.Errorf("%d brokers registered more than once, want 2", len(gap))
	}
	over := 0
	for _, sent := range f.sent() {
		if strings.Contains(sent, `"code":103,`) {
			over++
		}
	}
	if over != 2 {
		t.Errorf("2 brokers registered over %d connections", over)
	}
	if v := res.Survival; v.Failed+v.Shrunken > 0 || v.RegistrationsMissed > 0 {
		t.Errorf("nothing was lost, but survival is %+v", v)
	}
}

// TestRegularComesBack: a broker whose connection the server has closed registers
// again over a new one, in the same period.
func TestRegularComesBack(t *testing.T) {
	var registered atomic.Int64
	hungUp := make(chan struct{})
	hangUp := func(frame []byte) bool {
		var req codec.Command
		if req.Decode(frame) != nil || req.Code != codec.ReqRegisterBroker || registered.Add(1) != 8 {
			return false
		}
		close(hungUp)
		return true
	}
	before := func(req *codec.Command) {
		if req.Code == codec.ReqQueryDataVersion { // asked in the end
			<-hungUp
		}
	}
	f := startFakeWith(t, func(f *fakeServer) { f.hangUp, f.before = hangUp, before })
	res := run(t, scenario(t, "partition", "away", "1ms", "period", "100ms", "share", "1"), at(f.addr))
	if res.Survival.RegistrationsMissed > 0 || registered.Load() < 9 {
		t.Errorf("%d of %d registrations failed", res.Survival.RegistrationsMissed, registered.Load())
	}
}

// TestMissesTurns: each producer asks for its own topic and for TBW102 in turn,
// and not before the quiet phase is over.
func TestMissesTurns(t *testing.T) {
	f := startFake(t, nil)
	res := run(t, scenario(t, "misses", "producers", "3"), at(f.addr))
	own, shared := op(t, res, "misses", "miss"), op(t, res, "misses", "miss TBW102")
	if own.Sent < shared.Sent || own.Sent > shared.Sent+3 {
		t.Errorf("%d asked for their own topic, %d for TBW102", own.Sent, shared.Sent)
	}
	for _, o := range res.Phases[0].Ops {
		if strings.HasPrefix(o.Name, "miss") {
			t.Errorf("%s in phase %s: %s times", o.Name, res.Phases[0].Name, strconv.FormatUint(o.Sent, 10))
		}
	}
}
