package bench

import (
	"math"
	"math/rand/v2"
)

// A schedule says when the requests of a lane are to leave whose times are not
// simply an interval apart: while the rate changes, or where they are random.
// Times are nanoseconds since the schedule began. It belongs to its lane.
//
// The number of requests that are due by a time is the area under the rate until
// then. The i-th leaves when that area reaches i, or, at random moments (a
// Poisson process), a sum of i random numbers of mean 1.
type schedule struct {
	share  float64    // of the stream's requests that the lane sends
	offset float64    // lanes take turns: 0 to 1
	rng    *rand.Rand // of random moments; nil is regular

	from, to float64 // requests per nanosecond, of the lane
	lasts    float64 // nanoseconds until the rate is to; then it stays
	ends     bool    // after that nothing leaves: the next stage begins a little later

	sum   float64 // area at the last of times
	first int     // which request times begins with
	times []int64 // of random moments: those that are due, and the next one
}

// begin starts anew with a rate that goes from one value to another, in
// requests per second of the whole stream.
func (s *schedule) begin(from, to, nanos float64) {
	s.from, s.to, s.lasts = from*s.share/1e9, to*s.share/1e9, nanos
	s.sum, s.first, s.times = 0, 0, s.times[:0]
}

// area is the number of requests that are due by t.
func (s *schedule) area(t float64) float64 {
	if t <= 0 {
		return 0
	}
	if t > s.lasts {
		return (s.from+s.to)/2*s.lasts + (t-s.lasts)*s.to
	}
	return t * (s.from + (s.to-s.from)*t/(2*s.lasts))
}

// when is the time at which the area is y.
func (s *schedule) when(y float64) int64 {
	ramp := (s.from + s.to) / 2 * s.lasts
	if y >= ramp {
		return int64(s.lasts + (y-ramp)/s.to)
	}
	slope := (s.to - s.from) / s.lasts
	return int64(2 * y / (s.from + math.Sqrt(max(0, s.from*s.from+2*slope*y))))
}

// nextStage is when the requests of the next stage leave: after all of this one.
const nextStage = 1 << 62

// by returns how many requests are due by t, of which so many have been sent.
func (s *schedule) by(t int64, sent int) int {
	if s.ends {
		t = min(t, int64(s.lasts))
	}
	if s.rng == nil {
		return max(sent, int(math.Floor(s.area(float64(t))-s.offset))+1)
	}
	s.times = append(s.times[:0], s.times[min(sent-s.first, len(s.times)):]...)
	s.first = sent
	for len(s.times) == 0 || s.times[len(s.times)-1] <= t {
		s.sum += s.rng.ExpFloat64()
		s.times = append(s.times, s.when(s.sum))
	}
	return s.first + len(s.times) - 1
}

// at returns when the i-th request leaves: of random moments one that by has
// counted, or the next one.
func (s *schedule) at(i int) int64 {
	var at int64
	if s.rng == nil {
		at = s.when(float64(i) + s.offset)
	} else {
		at = s.times[min(i-s.first, len(s.times)-1)]
	}
	if s.ends && at > int64(s.lasts) {
		return nextStage
	}
	return at
}

// newSchedule returns the schedule of one worker's part of a stream, nil where
// an interval says it all. Random moments are others in each worker and each process:
// where all sent at the same moments, they would meet.
func newSchedule(s *stream, d *driver, index, of, conns int) *schedule {
	if !s.poisson && len(s.stages) == 0 {
		return nil
	}
	out := &schedule{share: float64(conns) / float64(s.connections), offset: d.place(index, of)}
	if s.poisson {
		out.rng = rand.New(rand.NewPCG(d.seed, uint64(d.part.Index)<<40|uint64(index)<<16|0xa771))
	}
	out.begin(s.rate, s.rate, 0)
	return out
}

// enterStage begins the stage that is the n-th phase.
func (l *lane) enterStage(n int, at int64) {
	if l.sched == nil || n < 1 || n > len(l.stream.stages) {
		return
	}
	s := l.stream.stages[n-1]
	l.start, l.issued = at, 0
	l.sched.begin(s.From, s.To, float64(s.Lasts))
	l.sched.ends = true
}
