package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseStage(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Stage
	}{
		{"ramp 10s to 5000", Stage{"ramp 10s to 5000", 10 * time.Second, 100, 5000}},
		{"climb: ramp 1m to 5e3/s", Stage{"climb", time.Minute, 100, 5000}},
		{"hold  30s", Stage{"hold 30s", 30 * time.Second, 100, 100}},
		{"step 2s to 1/s", Stage{"step 2s to 1/s", 2 * time.Second, 1, 1}},
	} {
		got, err := ParseStage(tt.text, 100)
		if err != nil || got != tt.want {
			t.Errorf("%s is %+v, %v; want %+v", tt.text, got, err, tt.want)
		}
	}
	for text, want := range map[string]string{
		"": "ramp TIME to RATE", "hold": "ramp TIME", "rest 1s": "ramp TIME", "hold 1s to 5": "ramp TIME", "ramp 1s": "ramp TIME", "ramp 1s at 5": "ramp TIME",
		": hold 1s": "ramp TIME", "hold 5": "no duration", "hold 0s": "it lasts 0s", "hold 25h": "it lasts 25h", "ramp 1s to fast": "no rate", "ramp 1s to 0": "no rate",
		"ramp 1s to NaN": "no rate", "step 1s to 1e9": "no rate",
	} {
		if _, err := ParseStage(text, 100); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q in it", text, err, want)
		}
	}
	sc := Scenario{Params: Params{Rate: 50}, Stages: []string{"ramp 1s to 100", "hold 1s", "step 1s to 10", "x: ramp 1s to 20"}}
	stages, err := sc.stages()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]float64{{50, 100}, {100, 100}, {10, 10}, {10, 20}} {
		if s := stages[i]; s.From != want[0] || s.To != want[1] {
			t.Errorf("stage %s goes from %g to %g, want %v", s.Name, s.From, s.To, want)
		}
	}
	sc.Stages = []string{"hold 1s", "hold 1s"}
	if _, err := sc.stages(); err == nil || !strings.Contains(err.Error(), "name them") {
		t.Errorf("two stages of one name: %v", err)
	}
}

// TestStageSchedule: all lanes together send as many requests by any time as the rate
// says, each at its own time, in order.
func TestStageSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.Float64Range(1, 1e5).Draw(t, "from"), rapid.Float64Range(1, 1e5).Draw(t, "to")
		lasts := float64(rapid.IntRange(0, 5).Draw(t, "seconds")) * 1e9
		lanes := rapid.IntRange(1, 3).Draw(t, "lanes")
		until := rapid.Float64Range(1e6, 6e9).Draw(t, "until")
		total := 0
		for i := range lanes {
			s := &schedule{share: 1 / float64(lanes), offset: float64(i) / float64(lanes)}
			s.begin(from, to, lasts)
			n := s.by(int64(until), 0)
			total += n
			last := int64(-1)
			for j := max(0, n-50); j < n; j++ {
				at := s.at(j)
				if at < last || at > int64(until)+2 {
					t.Fatalf("request %d of %d leaves at %d, the one before at %d, all by %g", j, n, at, last, until)
				}
				last = at
			}
			if next := s.at(n); next < int64(until)-2 {
				t.Fatalf("the next request leaves at %d, before %g", next, until)
			}
		}
		secs, slope := until/1e9, 0.0
		if lasts > 0 {
			slope = (to - from) / (lasts / 1e9)
		}
		want := from*secs + slope*secs*secs/2
		if until > lasts {
			l := lasts / 1e9
			want = (from+to)/2*l + to*(secs-l)
		}
		if math.Abs(float64(total)-want) > float64(lanes)+1e-6*want {
			t.Fatalf("%d requests by %g s, want %.1f", total, secs, want)
		}
	})
}

// TestStageScheduleConstant is where a rate that does not change leaves its requests: as
// a lane without a schedule does.
func TestStageScheduleConstant(t *testing.T) {
	s := &schedule{share: 1}
	s.begin(1000, 1000, 0)
	for i := range 5 {
		if at := s.at(i); at != int64(i)*1e6 {
			t.Errorf("request %d leaves at %d ns, want %d", i, at, i*1e6)
		}
	}
	if n := s.by(2_500_000, 0); n != 3 {
		t.Errorf("%d requests by 2.5 ms, want 3", n)
	}
	if n := s.by(2_500_000, 7); n != 7 {
		t.Errorf("%d requests when 7 were sent, want 7", n)
	}
}

// TestStageEnds: a stage sends what is its own, and not one more, however late the next
// one begins.
func TestStageEnds(t *testing.T) {
	for _, rng := range []*rand.Rand{nil, rand.New(rand.NewPCG(1, 2))} {
		l := &lane{stream: &stream{stages: []Stage{{Lasts: 100 * time.Millisecond, From: 1000, To: 3000}}}, sched: &schedule{share: 1, rng: rng}}
		l.enterStage(1, 5e9)
		inTime := l.sched.by(100e6, 0)
		if l.start != 5e9 || rng == nil && inTime != 201 || rng != nil && (inTime < 120 || inTime > 290) {
			t.Errorf("it begins at %d, %d requests are sent in it", l.start, inTime)
		}
		if late := l.sched.by(9e9, inTime); late != inTime {
			t.Errorf("%d requests are sent in time, %d later", inTime, late)
		}
		if next := l.sched.at(inTime); next != nextStage {
			t.Errorf("the next one leaves at %d", next)
		}
		if rng == nil && l.sched.at(inTime-1) > 100e6 {
			t.Errorf("the last one leaves at %d", l.sched.at(inTime-1))
		}
	}
}

// TestPoisson: requests at random moments come on average at the rate; the times
// between them are exponential; the same seed gives the same times however often
// the lane looks.
func TestPoisson(t *testing.T) {
	times := func(seed uint64, look int64) (out []int64) {
		s := &schedule{share: 1, rng: rand.New(rand.NewPCG(seed, 1))}
		s.begin(1000, 1000, 0)
		sent := 0
		for now := look; now <= 100e9; now += look {
			n := s.by(now, sent)
			for ; sent < n; sent++ {
				out = append(out, s.at(sent))
			}
			if next := s.at(sent); next <= now {
				t.Fatalf("by %d ns %d requests are due, and the next is at %d", now, n, next)
			}
		}
		return out
	}
	a := times(1, 1e6)
	if n := len(a); n < 98_500 || n > 101_500 { // five standard deviations
		t.Errorf("%d requests in 100 s at 1,000/s", n)
	}
	sum, squares := 0.0, 0.0
	for i := 1; i < len(a); i++ {
		gap := float64(a[i]-a[i-1]) / 1e6
		sum, squares = sum+gap, squares+gap*gap
	}
	mean := sum / float64(len(a)-1)
	deviation := math.Sqrt(squares/float64(len(a)-1) - mean*mean)
	if math.Abs(mean-1) > 0.02 || math.Abs(deviation-1) > 0.03 {
		t.Errorf("gaps are %.3f ms on average and deviate by %.3f, want 1 and 1", mean, deviation)
	}
	b, c := times(1, 777e6), times(2, 1e6)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("request %d leaves at %d or at %d, as the lane looks", i, a[i], b[i])
		}
	}
	if a[0] == c[0] && a[1] == c[1] {
		t.Error("another seed gives the same times")
	}
}

// TestPopularity: the i-th topic is asked for 1/i^s as often as the first one, by
// the seed, and which they are is not their order.
func TestPopularity(t *testing.T) {
	const n, asked = 100, 200_000
	count := func(text string, seed uint64) []int {
		p := newPopularity(n, text, seed).by(rand.New(rand.NewPCG(seed, 9)))
		counts := make([]int, n)
		for range asked {
			counts[p.IntN(n)]++
		}
		return counts
	}
	for _, tt := range []struct {
		text string
		s    float64
	}{{"zipf", 1}, {"zipf:0.5", 0.5}, {"zipf:2", 2}} {
		p := newPopularity(n, tt.text, 3)
		counts := count(tt.text, 3)
		first := float64(counts[p.which[0]])
		for _, rank := range []int{1, 3, 9} {
			want := math.Pow(float64(rank+1), -tt.s)
			if got := float64(counts[p.which[rank]]) / first; math.Abs(got-want) > 0.15*want {
				t.Errorf("%s: rank %d is asked for %.3f as often as the first, want %.3f", tt.text, rank+1, got, want)
			}
		}
		if p.which[0] == 0 && p.which[1] == 1 && p.which[2] == 2 {
			t.Errorf("%s: topics are popular in their order", tt.text)
		}
		if which := newPopularity(n, tt.text, 4).which; slices.Equal(which, p.which) {
			t.Errorf("%s: with another seed the same topics are popular", tt.text)
		}
		again, other := count(tt.text, 3), count(tt.text, 4)
		if !slices.Equal(counts, again) || slices.Equal(counts, other) {
			t.Errorf("%s: a seed does not decide what is asked for", tt.text)
		}
	}
	uniform := count(popularityUniform, 3)
	for i, c := range uniform {
		if c < asked/n/2 || c > asked/n*2 {
			t.Errorf("uniform: topic %d is asked for %d times of %d", i, c, asked)
		}
	}
	for _, text := range []string{"zip", "zipf:", "zipf:0", "zipf:-1", "zipf:11", "zipf:NaN", "zipf:x"} {
		if _, err := zipfOf(text); err == nil || !strings.Contains(err.Error(), "popularity is") {
			t.Errorf("%q: error is %v", text, err)
		}
	}
}

// TestPartsDiffer: the processes of a crew do not ask for the same topics at the same time.
func TestPartsDiffer(t *testing.T) {
	of := func(part Part) uint64 { return (&run{opt: Options{Seed: 1, Part: part}}).random(0, 0).Uint64() }
	if of(Part{0, 2}) == of(Part{1, 2}) {
		t.Error("two parts have the same random numbers")
	}
	if of(Part{}) != of(Part{0, 2}) {
		t.Error("the first part has other numbers than a run that makes all of the load")
	}
}

// TestPartsTakeTurns: lanes of several workers and processes begin one after the other,
// evenly, and where requests leave at random moments no two lanes have the same.
func TestPartsTakeTurns(t *testing.T) {
	const parts, workers = 3, 2
	var regular []float64
	random := map[int64]bool{}
	for part := range parts {
		d := newDriver("", 1)
		d.part = Part{part, parts}
		for i := range workers {
			ramp := newSchedule(&stream{connections: 4, rate: 100, stages: []Stage{{Lasts: time.Second, From: 100, To: 200}}}, d, i, workers, 2)
			if ramp.offset != d.place(i, workers) {
				t.Errorf("part %d, worker %d begins a ramp at %g, want %g", part, i, ramp.offset, d.place(i, workers))
			}
			regular = append(regular, d.place(i, workers))
			s := newSchedule(&stream{connections: 4, rate: 100, poisson: true}, d, i, workers, 2)
			s.by(0, 0)
			random[s.at(0)] = true
		}
	}
	slices.Sort(regular)
	for i, at := range regular {
		if want := float64(i) / (parts * workers); math.Abs(at-want) > 1e-9 {
			t.Errorf("lanes begin at %v of an interval, want each %g", regular, 1.0/(parts*workers))
		}
	}
	if len(random) != parts*workers {
		t.Errorf("%d lanes begin at %d random moments", parts*workers, len(random))
	}
}

// TestNotEarly: no request leaves before it is due, also of a lane whose turn comes later.
func TestNotEarly(t *testing.T) {
	w, _, _ := newLoop(1000, 1, 1)
	l := w.lanes[0]
	l.start = 1_000_000
	if due := w.issueDue(l, 500_000, math.MaxInt); w.stats[1][0].sent > 0 || due != l.start {
		t.Errorf("%d requests left 0.5 ms early, and the next is due at %d", w.stats[1][0].sent, due)
	}
}
