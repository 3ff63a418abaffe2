package bench

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// The names of operations.
const (
	opRoute      = "route"
	opMiss       = "miss"
	opRegister   = "register"
	opHeartbeat  = "heartbeat"
	opQuery      = "queryDataVersion"
	opBeatAsked  = "heartbeat (answered)"
	opQueryAsked = "queryDataVersion (answered)"
)

func (r *run) measured() { r.parts = []part{{name: "measured"}} }

// addReaders adds the stream of clients that read routes.
func (r *run) addReaders() *stream {
	op, n := r.addOp(opRoute, false), len(r.streams)
	popular := newPopularity(len(r.fleet.topics), r.p.Popularity, r.opt.Seed)
	return r.addStream(&stream{
		name: "readers", connections: r.p.Connections, rate: r.p.Rate, poisson: r.p.poisson(), depth: r.p.Depth, requests: r.p.Requests,
		source: func(i int) source { return &routes{r.fleet.topics, popular.by(r.random(n, i)), op} },
	})
}

func (r *run) addStream(s *stream) *stream {
	r.streams = append(r.streams, s)
	if r.ceiling == nil {
		r.ceiling = s
	}
	return s
}

// addRegistrars adds the stream of registrations: n connections, each of which
// sends for its share of the brokers.
func (r *run) addRegistrars(n int) *stream {
	op := r.addOp(opRegister, false)
	return r.addStream(&stream{
		name: "registrars", connections: n, depth: 1, pause: time.Duration(r.p.PauseUpTo), heavy: true,
		source: func(i int) source {
			s := &registrations{op: op}
			for j := i; j < len(r.regs); j += n {
				s.of = append(s.of, r.regs[j])
			}
			return s
		},
	})
}

func planRoute(r *run) error {
	r.addReaders()
	r.measured()
	return nil
}

func planMiss(r *run) error {
	op, n := r.addOp(opMiss, false), len(r.streams)
	requests, wants := unknownTopics(r.fleet.header, r.p.Topics)
	popular := newPopularity(len(requests), r.p.Popularity, r.opt.Seed)
	r.addStream(&stream{
		name: "readers", connections: r.p.Connections, rate: r.p.Rate, poisson: r.p.poisson(), depth: r.p.Depth, requests: r.p.Requests,
		source: func(i int) source { return &misses{requests, wants, popular.by(r.random(n, i)), op} },
	})
	r.measured()
	return nil
}

// addBeats adds a stream of heartbeats over all brokers, at so many per second.
func (r *run) addBeats(name string, connections int, rate float64, oneway bool) *stream {
	ops := map[string]int{}
	if r.p.Code != "322" {
		ops["904"] = r.addOp(beatName(opHeartbeat, opBeatAsked, oneway, r.p.Oneway), oneway)
	}
	if r.p.Code != "904" {
		ops["322"] = r.addOp(beatName(opQuery, opQueryAsked, oneway, r.p.Oneway), oneway)
	}
	return r.addStream(&stream{
		name: name, connections: connections, rate: rate, fence: oneway,
		source: func(i int) source {
			s := &beats{}
			for j := i; j < len(r.fleet.brokers); j += connections {
				s.beats = append(s.beats, r.beatsOf(r.fleet.brokers[j], ops, oneway)...)
			}
			return s
		},
	})
}

// beatName names an operation so that probes and the beats beside them differ.
func beatName(plain, asked string, oneway, load bool) string {
	if oneway == load {
		return plain
	}
	return asked
}

// beatsOf are a broker's heartbeats, one of each code.
func (r *run) beatsOf(b *broker, ops map[string]int, oneway bool) (out []beat) {
	if op, ok := ops["904"]; ok {
		out = append(out, beat{
			request: b.heartbeatRequest(r.fleet.header, oneway), op: op, oneway: oneway,
			asked: b.heartbeatRequest(r.fleet.header, false), want: &wantSuccess{"heartbeat " + b.name},
		})
	}
	if op, ok := ops["322"]; ok {
		out = append(out, beat{
			request: b.queryRequest(r.fleet.header, oneway), op: op, oneway: oneway,
			asked: b.queryRequest(r.fleet.header, false), want: &wantUnchanged{b}, arg: b.counter.Load(),
		})
		if r.p.Registrars > 0 { // they change what it must answer
			out[len(out)-1].want = &wantSuccess{"data version of " + b.name}
		}
	}
	return out
}

// probeRate is how many probes a second tell the latency of oneway load.
const probeRate = 100

func planHeartbeat(r *run) error {
	connections := min(r.p.Connections, r.p.Brokers)
	if r.p.Oneway {
		// Probes come first: the ceiling is measured with the first stream.
		r.ceiling = r.addBeats("probes", 1, probeRate, false)
	}
	s := r.addBeats("heartbeats", connections, r.beatRate(), r.p.Oneway)
	s.requests = r.p.Requests
	r.measured()
	return nil
}

// beatRate is one beat of each code, hz times a second, of every broker.
func (r *run) beatRate() float64 {
	rate := r.p.Hz * float64(r.p.Brokers)
	if r.p.Code == "both" {
		rate *= 2
	}
	return rate
}

func planRegister(r *run) error {
	s := r.addRegistrars(r.p.Registrars)
	s.rate, s.poisson, s.requests = r.p.Rate, r.p.poisson(), r.p.Requests
	r.measured()
	return nil
}

func planReadersAndRegistrars(r *run) error {
	r.addReaders()
	r.addRegistrars(r.p.Registrars).requests = r.p.Requests
	r.measured()
	return nil
}

func planStorm(r *run) error {
	r.addReaders()
	s := r.addRegistrars(r.p.Registrars)
	s.from, s.requests = 2, r.p.Requests
	var mu sync.Mutex
	once := map[*broker]bool{}
	var begun, all atomic.Int64
	for _, reg := range r.regs {
		reg.once = func(b *broker) {
			mu.Lock()
			defer mu.Unlock()
			if once[b] = true; len(once) == len(r.regs) {
				all.CompareAndSwap(0, r.d.now())
			}
		}
	}
	r.parts = []part{{name: "undisturbed", do: r.untilHalf}, {name: "storm", do: func(ctx context.Context) error {
		mu.Lock()
		clear(once)
		all.Store(0)
		mu.Unlock()
		begun.Store(r.d.phases[2].from)
		err := r.waitPhase(ctx)
		// The storm lasts at least until each broker has registered in it.
		ok := await(ctx, time.Duration(r.p.Timeout), func() bool { return all.Load() > 0 || r.p.Requests > 0 })
		if r.p.Requests == 0 || all.Load() > 0 {
			r.milestone("every broker registered again", "storm", cmp.Or(all.Load(), r.d.now())-begun.Load(), ok)
		}
		return err
	}}}
	return nil
}

// untilHalf is the first of two phases: with counted requests it ends when the
// readers have sent theirs, else after the duration.
func (r *run) untilHalf(ctx context.Context) error {
	later := int64(0)
	for _, s := range r.streams {
		if s.from > 1 {
			later += int64(s.requests)
		}
	}
	await(ctx, time.Duration(r.p.Duration), func() bool {
		return r.p.Requests > 0 && r.d.left.Load() == later && r.d.inFlight() == 0
	})
	return ctx.Err()
}

func planMixed(r *run) error {
	readers := r.addReaders()
	if r.p.Rate > 0 {
		readers.rate = r.p.Rate * 0.9
	}
	op, n := r.addOp(opMiss, false), len(r.streams)
	requests, wants := unknownTopics(r.fleet.header, min(r.p.Topics, 1000))
	popular := newPopularity(len(requests), r.p.Popularity, r.opt.Seed)
	r.addStream(&stream{
		name: "misses", connections: max(1, r.p.Connections/8), rate: r.p.Rate * 0.1, poisson: r.p.poisson(), depth: r.p.Depth, requests: r.part(10),
		source: func(i int) source { return &misses{requests, wants, popular.by(r.random(n, i)), op} },
	})
	s := r.addBeats("heartbeats", min(r.p.Connections, r.p.Brokers), r.beatRate(), r.p.Oneway)
	s.requests = r.part(10)
	r.addRegistrars(r.p.Registrars).requests = r.part(100)
	r.measured()
	return nil
}

// part is a fraction of the counted requests, 0 when they are not counted.
func (r *run) part(n int) int {
	if r.p.Requests == 0 {
		return 0
	}
	return max(1, r.p.Requests/n)
}
