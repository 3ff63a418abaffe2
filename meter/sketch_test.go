package meter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// TestSketchBound counts a stream of names as Zipf has it, and for comparison all of
// them, in several sketches, over minutes: each count is right within its error, and
// the most frequent names are there.
func TestSketchBound(t *testing.T) {
	for _, tt := range []struct {
		sketches, names, minutes int
		skew                     float64
	}{{1, 100, 1, 1.1}, {1, 100_000, 1, 1.2}, {3, 100_000, 1, 1.1}, {1, 10_000, 5, 1.3}, {4, 50_000, 7, 1.1}} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			random := rand.New(rand.NewPCG(5, uint64(tt.names)))
			zipf := rand.NewZipf(random, tt.skew, 1, uint64(tt.names-1))
			sketches := make([]*Sketch, tt.sketches)
			for i := range sketches {
				sketches[i] = new(Sketch)
			}
			truth := map[string]float64{}
			all := 0.0
			now := time.Hour
			for minute := range tt.minutes {
				if minute > 0 {
					now += time.Minute
					for name := range truth {
						truth[name] /= 2
					}
					all /= 2
				}
				for range 50_000 {
					name := fmt.Sprint("topic-", zipf.Uint64())
					n := 1 + random.Uint64N(127)
					if !sketches[random.IntN(tt.sketches)].Add(now, []byte(name), n) {
						t.Fatal("nobody else is there, and it does nothing")
					}
					truth[name] += float64(n)
					all += float64(n)
				}
			}
			top := Top(now, SketchSize, sketches...)
			shown := map[string]bool{}
			for i, c := range top {
				shown[c.Name] = true
				if want := truth[c.Name]; float64(c.Count) < want || float64(c.Count)-float64(c.Error) > want || c.Error > c.Count {
					t.Fatalf("%d of %s, up to %d too many, it is %v", c.Count, c.Name, c.Error, want)
				}
				if i > 0 && c.Count > top[i-1].Count {
					t.Fatalf("%v comes after %v", c, top[i-1])
				}
			}
			for name, n := range truth {
				if n > all/64 && !shown[name] {
					t.Errorf("%s is missing, with %v of %v", name, n, all)
				}
			}
			if got := Top(now, 3, sketches...); len(got) != 3 || got[0] != top[0] {
				t.Errorf("the first three are %v", got)
			}
		})
	}
}

// TestSketchForgets: what does not come any more is gone in the end, at once if nobody
// looked for a year.
func TestSketchForgets(t *testing.T) {
	var s Sketch
	if len(Top(0, 10, &s)) != 0 {
		t.Error("there is something before anything came")
	}
	s.Add(0, []byte("a"), 1024)
	for minute := range 10 {
		got := Top(time.Duration(minute)*time.Minute, 10, &s)
		if want := uint64(1024) >> minute; len(got) != 1 || got[0] != (Count{"a", want, 0}) {
			t.Fatalf("after %d minutes %v, want %d", minute, got, want)
		}
	}
	year := 365 * 24 * time.Hour
	if got := Top(year, 10, &s); len(got) != 0 {
		t.Errorf("after a year %v", got)
	}
	s.Add(year, []byte("b"), 7)
	if got := Top(year, 10, &s); len(got) != 1 || got[0] != (Count{"b", 7, 0}) {
		t.Errorf("afterwards %v", got)
	}
}

// TestSketchIsBounded: names without end, long ones and broken ones, take no more
// memory than there is for them, and are shown as text.
func TestSketchIsBounded(t *testing.T) {
	var s Sketch
	long := strings.Repeat("ä", 40_000)
	for i := range 20_000 {
		var name string
		switch i % 4 {
		case 0:
			name = fmt.Sprint(long, i)
		case 1:
			name = fmt.Sprintf("\xff\xfe%d", i)
		case 2:
			name = fmt.Sprint(i)
		default:
			name = ""
		}
		s.Add(time.Duration(i)*time.Second, []byte(name), uint64(i))
	}
	held := 0
	for _, name := range s.names {
		held += cap(name)
	}
	if held > SketchSize*160 || len(s.index) != s.size || s.size > SketchSize {
		t.Errorf("%d bytes are held for %d names, %d in the index", held, s.size, len(s.index))
	}
	for _, c := range Top(20_000*time.Second, SketchSize, &s) {
		if !utf8.ValidString(c.Name) || len(c.Name) > 2*sketchName {
			t.Errorf("%q is shown", c.Name)
		}
	}
	before := len(s.index)
	name := []byte("12345")
	s.Add(20_000*time.Second, name, 1)
	if n := testing.AllocsPerRun(1000, func() {
		name[0]++ // another one each time, for 256 times
		s.Add(20_000*time.Second, name, 1)
	}); n > 0.1 {
		t.Errorf("%v allocations for each name", n)
	}
	if len(s.index) > SketchSize || before > SketchSize {
		t.Errorf("%d names", len(s.index))
	}
}

// TestSketchBesideReaders adds while others read: what it says that it has counted is
// there.
func TestSketchBesideReaders(t *testing.T) {
	var s Sketch
	var counted [4]uint64
	stop := make(chan struct{})
	var adding, reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				Top(0, 10, &s)
			}
		}
	})
	for g := range counted {
		adding.Go(func() {
			for range 20_000 {
				if s.Add(0, []byte("a"), 1) {
					counted[g]++
				}
			}
		})
	}
	adding.Wait()
	close(stop)
	reading.Wait()
	want := counted[0] + counted[1] + counted[2] + counted[3]
	if got := Top(0, 1, &s); len(got) != 1 || got[0].Count != want || want == 0 {
		t.Errorf("%v, want %d", got, want)
	}
}

func BenchmarkSketchAdd(b *testing.B) {
	for _, names := range []int{1, 200, 100_000} {
		b.Run(fmt.Sprintf("names=%d", names), func(b *testing.B) {
			var s Sketch
			all := make([][]byte, names)
			for i := range all {
				all[i] = fmt.Appendf(nil, "bench-topic-%07d", i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Add(0, all[i*7919%names], 64)
			}
		})
	}
}
