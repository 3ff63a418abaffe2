package namesrv

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/meter"
)

// maxRows is how many rows a dispatchTable may have.
const maxRows = 32

// An outcome is what became of a request, for those who count.
type outcome uint8

const (
	outcomeSuccess outcome = iota
	outcomeSystemError
	outcomeSystemBusy
	outcomeNotSupported
	outcomeNoPermission
	outcomeTopicNotExist
	outcomeQueryNotFound
	outcomeGoAway
	outcomeOneway    // nobody wanted an answer, whatever it would have been
	outcomeAbandoned // the connection ended while the request waited for a late answer
	outcomeOther     // any other response code
	numOutcomes
)

var outcomeNames = [numOutcomes]string{
	outcomeSuccess:       "success",
	outcomeSystemError:   "system_error",
	outcomeSystemBusy:    "system_busy",
	outcomeNotSupported:  "request_code_not_supported",
	outcomeNoPermission:  "no_permission",
	outcomeTopicNotExist: "topic_not_exist",
	outcomeQueryNotFound: "query_not_found",
	outcomeGoAway:        "go_away",
	outcomeOneway:        "oneway",
	outcomeAbandoned:     "abandoned",
	outcomeOther:         "other",
}

func (o outcome) String() string { return outcomeNames[o] }

// outcomeOf returns the outcome of an answer.
func outcomeOf(code codec.ResponseCode) outcome {
	switch code {
	case codec.RespSuccess:
		return outcomeSuccess
	case codec.RespSystemError:
		return outcomeSystemError
	case codec.RespSystemBusy:
		return outcomeSystemBusy
	case codec.RespRequestCodeNotSupported:
		return outcomeNotSupported
	case codec.RespNoPermission:
		return outcomeNoPermission
	case codec.RespTopicNotExist:
		return outcomeTopicNotExist
	case codec.RespQueryNotFound:
		return outcomeQueryNotFound
	case codec.RespGoAway:
		return outcomeGoAway
	}
	return outcomeOther
}

// mostGap is how many requests pass at most from one that is timed to the next: on
// average half as many.
const mostGap = 127

// A tally counts the requests that one event loop serves, or one group of other
// goroutines, and times some of them. It has its cache lines to itself, so that loops
// that serve the same code do not wait for each other. A request on a loop pays for
// one atomic addition, and for the countdown to the next sample.
//
// Gaps are random, because a client that always sends the same 64 requests together
// must not hide its slow one. A sample stands for all requests of its code since the
// last one: so rare codes are not lost, and the number of what was timed follows the
// number of requests.
type tally struct {
	_ [64]byte

	gap    int32 // requests to the next sample; of the loop only, and not used if shared
	shared bool  // among goroutines; constant

	sharedGap atomic.Int32
	drawn     atomic.Int32 // the gap at its beginning
	draw      func() int32 // of another gap; constant

	_ [64]byte

	counts [maxRows][16]atomic.Uint64 // by row and outcome; two cache lines each

	durations              [maxRows]atomic.Pointer[meter.Histogram] // made with the first sample of a row
	topics, missed, askers meter.Sketch

	mu    sync.Mutex // guards the following; a loop never waits for it
	timed [maxRows]uint64

	_ [64]byte
}

func newTally(shared bool) *tally {
	t := &tally{shared: shared, draw: func() int32 { return 1 + rand.Int32N(mostGap) }}
	t.next()
	return t
}

// next begins another gap, and returns how many requests the one before had.
func (t *tally) next() (passed int32) {
	passed = t.drawn.Load()
	n := t.draw()
	t.drawn.Store(n)
	if t.shared {
		t.sharedGap.Store(n) // last: from now on others may come to its end
	} else {
		t.gap = n
	}
	return passed
}

// isDue counts a request down, and reports whether it is to be timed. Then next is to
// be called.
func (t *tally) isDue() bool {
	if t.shared {
		return t.sharedGap.Add(-1) == 0
	}
	t.gap--
	return t.gap == 0
}

// came counts a request of a row.
func (t *tally) came(w *row, o outcome) { t.counts[w.index][o].Add(1) }

// total returns how many requests of a row were counted.
func (t *tally) total(w *row) (n uint64) {
	for o := range numOutcomes {
		n += t.counts[w.index][o].Load()
	}
	return n
}

// sample notes that a request of a row, which is counted already, took so long, and
// returns for how many it stands.
func (t *tally) sample(w *row, took time.Duration) (weight uint64) {
	t.mu.Lock()
	total := t.total(w)
	weight, t.timed[w.index] = total-t.timed[w.index], total
	t.mu.Unlock()
	t.duration(w).AddMany(int64(took), weight)
	return weight
}

// duration returns the histogram of a row.
func (t *tally) duration(w *row) *meter.Histogram {
	h := &t.durations[w.index]
	if h.Load() == nil {
		h.CompareAndSwap(nil, new(meter.Histogram))
	}
	return h.Load()
}

// The tag of a connection says what each request must know of it. It is 0 before the
// first one.
//
//	bit 0       always set
//	bit 1       it has sent what only brokers send
//	bits 2-7    which kind of client it counts as, see clients.go
//	bits 8-11   language, from 1; 0 is unknown
//	bits 12-21  version; what is larger is the largest
//	bits 22-31  its tally
type connTag uint32

const (
	tagMet    = 1 << 0
	tagBroker = 1 << 1

	tagKindAt     = 2
	tagLanguageAt = 8
	tagVersionAt  = 12
	tagTallyAt    = 22

	mostTagVersion = 1<<10 - 1
	mostTallies    = 1 << 10
)

func newConnTag(kind int, language codec.LanguageCode, version int32, tally int) connTag {
	return tagMet | connTag(kind)<<tagKindAt | connTag(language+1)<<tagLanguageAt |
		connTag(max(0, min(version, mostTagVersion)))<<tagVersionAt | connTag(tally)<<tagTallyAt
}

func (g connTag) isBroker() bool               { return g&tagBroker != 0 }
func (g connTag) kind() int                    { return int(g >> tagKindAt & 63) }
func (g connTag) language() codec.LanguageCode { return codec.LanguageCode(g>>tagLanguageAt&15) - 1 }
func (g connTag) version() int32               { return int32(g >> tagVersionAt & mostTagVersion) }
func (g connTag) tally() int                   { return int(g >> tagTallyAt) }

// A tallies is all of a server: one for each event loop, one for the connections with
// TLS of each, and one for all workers and whoever answers late.
type tallies struct {
	all     []*tally
	loops   int // how many of all are those of loops
	workers *tally
}

func newTallies(loops int) *tallies {
	loops = min(loops, (mostTallies-1)/2)
	ts := &tallies{loops: loops}
	for i := range 2 * loops {
		ts.all = append(ts.all, newTally(i >= loops))
	}
	ts.workers = newTally(true)
	ts.all = append(ts.all, ts.workers)
	return ts
}

// placeOf returns the place of the tally of a connection that has sent a request.
func (ts *tallies) placeOf(c engine.Conn) int {
	place := c.Loop() % ts.loops
	if c.IsTLS() {
		place += ts.loops
	}
	return place
}

// duration returns how long the requests of a row took.
func (ts *tallies) duration(w *row) (sum meter.Reading) {
	for _, t := range ts.all {
		if h := t.durations[w.index].Load(); h != nil {
			r := h.Read()
			sum.Merge(&r)
		}
	}
	return sum
}

// meet notes who is at the other end of a connection: once, with its first request.
func (s *Server) meet(c engine.Conn, cmd *codec.Command) connTag {
	language := cmd.Language
	kind := s.clients.join(language, cmd.Version)
	g := newConnTag(kind, language, cmd.Version, s.tallies.placeOf(c))
	c.SetTag(uint32(g))
	return g
}

// tagOf returns the tag of a connection that has sent cmd.
func (s *Server) tagOf(c engine.Conn, cmd *codec.Command) connTag {
	if g := connTag(c.Tag()); g != 0 {
		return g
	}
	return s.meet(c, cmd)
}

// beginSample lets r be timed, if its loop serves it, and notes who asks.
func (s *Server) beginSample(r *request) {
	passed := r.tally.next()
	r.timed, r.began = true, s.clock.Now()
	addr := r.conn.Peer().Addr()
	if claimed := r.conn.Claimed(); claimed.IsValid() {
		addr = claimed.Addr()
	}
	var text [64]byte // IPv6 with a zone may be longer
	r.tally.askers.Add(r.began, addr.AppendTo(text[:0]), uint64(passed))
}

// count counts a request, which is about to be answered.
func (s *Server) count(r *request, o outcome) {
	r.tally.came(r.row, o)
	if r.timed {
		s.endSample(r, o)
	}
}

// endSample notes how long a request took that is timed. What a loop has not served
// itself is not its own to time: a pool has refused it, or it is about to end.
func (s *Server) endSample(r *request, o outcome) {
	if r.tally != s.tallies.workers && r.row.class != onLoop {
		return
	}
	now := s.clock.Now()
	weight := uint64(1)
	if r.tally == s.tallies.workers {
		r.tally.duration(r.row).Add(int64(now - r.began))
	} else {
		weight = r.tally.sample(r.row, now-r.began)
	}
	if r.cmd.Code != codec.ReqGetRouteInfoByTopic {
		return
	}
	var h codec.GetRouteInfoRequestHeader
	h.Decode(r.cmd.Ext)
	r.tally.topics.Add(now, h.Topic, weight)
	if o == outcomeTopicNotExist {
		r.tally.missed.Add(now, h.Topic, weight)
	}
}
