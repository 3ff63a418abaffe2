package engine

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestCodel tells the story of one queue with a target of 200 ms, of which a task is
// taken every 10 ms, so 20 are done within the target: how many were left, and how many
// may wait from then on.
func TestCodel(t *testing.T) {
	const ms, any = time.Millisecond, 0
	type part struct {
		tasks       int
		left, limit int64
	}
	for _, story := range []struct {
		name  string
		parts []part
	}{
		{"stands, until it is short", []part{{10, 22, any}, {1, 22, 44}, {100, 900, 40}, {8, 20, 40}, {1, 19, 40}, {1, 900, any}}},
		{"stands, until none is left", []part{{15, 300, 44}, {1, 0, any}, {10, 300, any}, {1, 300, 44}}},
		{"a burst", []part{{5, 100, any}, {5, 21, any}, {1, 19, any}, {10, 5, any}}},
		{"one in between comes to a short one", []part{{9, 300, any}, {1, 5, any}, {10, 300, any}, {1, 300, 40}}},
	} {
		d := codel{target: 200 * ms}
		off := codel{}
		var now time.Duration
		var shed uint64
		for i, p := range story.parts {
			for range p.tasks {
				d.took(now, p.left)
				off.took(now, p.left)
				now += 10 * ms
			}
			for _, waiting := range []int64{0, p.limit - 1, p.limit, 2*p.limit - 1, 2 * p.limit, 1 << 40} {
				for _, first := range []bool{false, true} {
					isFirst := func() bool { return first }
					want := p.limit > 0 && (waiting >= 2*p.limit || waiting >= p.limit && !first)
					if got := d.refuses(waiting, isFirst); got != want {
						t.Errorf("%s, part %d: with %d the next one, first: %v, is refused: %v, want %v", story.name, i, waiting, first, got, want)
					}
					if want {
						shed++
					}
					if off.refuses(waiting, isFirst) {
						t.Errorf("%s, part %d: refused without a target", story.name, i)
					}
				}
			}
			if got := d.limit.Load(); got > 0 != (p.limit > 0) {
				t.Errorf("%s, part %d: the limit is %d", story.name, i, got)
			}
		}
		if got := d.shed.Load(); got != shed {
			t.Errorf("%s: %d counted, want %d", story.name, got, shed)
		}
	}
	seldom := codel{target: 200 * ms}
	for i := range 10 {
		seldom.took(time.Duration(i)*time.Hour, 1)
	}
	if seldom.refuses(0, nil) || !seldom.refuses(1, func() bool { return false }) {
		t.Error("one may wait however little is done, and no more")
	}
}

// TestStandingQueueIsFair: who has a full queue to himself keeps nobody else from it.
func TestStandingQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := NewExecutor(ExecutorOptions{Workers: 1, Levels: []Level{{Target: 200 * time.Millisecond, Turn: 1}}})
		defer x.Close()
		task := func(_ Conn, _ time.Duration, _, out []byte) []byte {
			time.Sleep(100 * time.Millisecond)
			return out
		}
		greedy, modest := newFake(), newFake()
		refused := 0
		for i := range 2000 {
			greedy.beginTurn()
			if !x.SubmitAt(0, greedy, []byte("x"), task) {
				refused++
			}
			if i > 300 && i%30 == 29 { // not before it is known how much is done
				modest.beginTurn()
				if !x.SubmitAt(0, modest, []byte("x"), task) {
					t.Fatalf("request %d of another is refused: %+v", i, x.Stats())
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		if refused < 1000 {
			t.Errorf("%d of 2000 of the greedy one are refused, want most", refused)
		}
	})
}

// TestStandingQueue gives one worker, who can do ten tasks a second, thirty. Of the
// level with a target the queue stays as long as what is done in twice the target, and
// the others of its tasks are refused; the worker is never idle for it. Where there is no
// target, all are taken. When less is to do, nothing is refused any more.
func TestStandingQueue(t *testing.T) {
	for _, target := range []time.Duration{0, 200 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			x := NewExecutor(ExecutorOptions{Workers: 1, Levels: []Level{{Target: target}}})
			defer x.Close()
			var longest atomic.Int64 // one worker writes it
			task := func(c Conn, arrived time.Duration, _, out []byte) []byte {
				longest.Store(max(longest.Load(), int64(c.own().e.now()-arrived)))
				time.Sleep(100 * time.Millisecond)
				return out
			}
			c := newFake() // one turn after the other
			load := func(n int, every time.Duration) (refused int) {
				for range n {
					c.beginTurn()
					if !x.SubmitAt(0, c, []byte("x"), task) {
						refused++
					}
					time.Sleep(every)
				}
				synctest.Wait()
				return refused
			}
			const tasks = 1500
			began := time.Now()
			refused := load(tasks, time.Second/30)
			took := time.Since(began)
			st := x.Stats()
			if target == 0 {
				if refused > 0 || st.Levels[0].Shed != 0 || st.Levels[0].Limit != 0 {
					t.Errorf("without a target %d are refused: %+v", refused, st)
				}
			} else {
				if share := float64(refused) / tasks; share < 0.6 || share > 0.7 || int(st.Levels[0].Shed) != refused || int(st.Rejected) != refused {
					t.Errorf("%d of %d refused, want two thirds: %+v", refused, tasks, st)
				}
				if longest := time.Duration(longest.Load()); longest > 700*time.Millisecond {
					t.Errorf("one has waited for %v, want little more than twice the target", longest)
				}
			}
			if done, could := float64(st.Completed), took.Seconds()*10; done < 0.97*could {
				t.Errorf("target %v: %v tasks done, could be %v", target, done, could)
			}
			time.Sleep(time.Minute)
			if refused := load(100, 150*time.Millisecond); refused != 0 {
				t.Errorf("target %v: %d refused of a load that one can bear", target, refused)
			}
		})
	}
}
