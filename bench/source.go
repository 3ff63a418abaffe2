package bench

import (
	"fmt"
	"math/rand/v2"

	"gonamesrv/codec"
)

// random returns the random numbers of one connection of one stream. The same seed
// gives the same numbers.
func (r *run) random(stream, i int) *rand.Rand {
	return rand.New(rand.NewPCG(r.opt.Seed, uint64(r.opt.Part.Index)<<48|uint64(stream)<<32|uint64(i)))
}

// routes asks for topics at random.
type routes struct {
	topics []*topic
	rng    picker
	op     int
}

func (s *routes) next(dst []byte, opaque int32) ([]byte, ask) {
	t := s.topics[s.rng.IntN(len(s.topics))]
	return t.request.appendTo(dst, opaque), ask{op: s.op, want: t}
}

func (s *routes) reset() {}

// misses asks for topics that do not exist, a few thousand of them.
type misses struct {
	requests []*template
	wants    []*wantMiss
	rng      picker
	op       int
}

func (s *misses) next(dst []byte, opaque int32) ([]byte, ask) {
	i := s.rng.IntN(len(s.requests))
	return s.requests[i].appendTo(dst, opaque), ask{op: s.op, want: s.wants[i]}
}

func (s *misses) reset() {}

func unknownTopics(st codec.SerializeType, n int) (requests []*template, wants []*wantMiss) {
	for i := range n {
		name := fmt.Sprintf("nsbench-unknown-%06d", i)
		requests = append(requests, routeRequest(st, name))
		wants = append(wants, &wantMiss{name})
	}
	return requests, wants
}

// A beat is one broker's heartbeat in every form of the run.
type beat struct {
	request *template
	op      int
	oneway  bool
	asked   *template // the same that wants an answer
	want    want      // of that answer
	arg     int64
}

// beats sends the heartbeats of its brokers in turn.
type beats struct {
	beats []beat
	i     int
}

func (s *beats) next(dst []byte, opaque int32) ([]byte, ask) {
	b := &s.beats[s.i]
	s.i = (s.i + 1) % len(s.beats)
	if b.oneway {
		return b.request.appendTo(dst, opaque), ask{op: b.op}
	}
	return b.request.appendTo(dst, opaque), ask{op: b.op, want: b.want, arg: b.arg}
}

func (s *beats) fence(dst []byte, opaque int32) ([]byte, ask) {
	b := &s.beats[s.i]
	return b.asked.appendTo(dst, opaque), ask{op: fenceOp, want: b.want, arg: b.arg}
}

func (s *beats) reset() {}

// registrations sends the registrations of its brokers in turn.
type registrations struct {
	of []*registered
	i  int
	op int
}

// registered is a registration and what its answer must be.
type registered struct {
	*registration
	f    *fleet
	now  func() int64
	once func(*broker) // told of each whole registration that is accepted

	mortal bool // its keeper does not keep it alive
}

func (s *registrations) next(dst []byte, opaque int32) ([]byte, ask) {
	r := s.of[s.i]
	dst, counter, last := r.appendNext(dst, opaque)
	a := ask{op: s.op, want: r, arg: counter}
	if last {
		s.i = (s.i + 1) % len(s.of)
	} else {
		a.arg = -counter // not whole yet
	}
	return dst, a
}

func (s *registrations) reset() {
	for _, r := range s.of {
		r.restart()
	}
}

func (r *registered) asked() string { return "register " + r.b.name }

// check takes SUCCESS, and remembers which data version the server has now.
func (r *registered) check(c *codec.Command, _, arg int64) (errorKind, wrong string) {
	if kind, wrong := wantCode(c, codec.RespSuccess); kind+wrong != "" {
		return kind, wrong
	}
	if arg < 0 {
		r.b.counter.Store(-arg)
		return "", ""
	}
	r.b.counter.Store(arg)
	if r.b.state.Load() != brokerThere && !r.f.disturbed.Load() {
		r.f.set(r.b, brokerThere, r.now())
	}
	if r.once != nil {
		r.once(r.b)
	}
	return "", ""
}
