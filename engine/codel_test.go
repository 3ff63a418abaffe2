package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestCodel tells the story of one queue with a target of 200 ms: when a task begins,
// how long it has waited, how many are left, and whether the next is refused then.
func TestCodel(t *testing.T) {
	const ms = time.Millisecond
	for _, story := range []struct {
		name  string
		tasks []struct {
			now, waited time.Duration
			left        int64
			refuses     bool
		}
	}{
		{"stands, until a task has waited for less", []struct {
			now, waited time.Duration
			left        int64
			refuses     bool
		}{
			{1000 * ms, 200 * ms, 5, false},
			{1500 * ms, 900 * ms, 5, false},
			{1999 * ms, 900 * ms, 5, false},
			{2000 * ms, 200 * ms, 5, true},
			{9000 * ms, 900 * ms, 1, true},
			{9001 * ms, 199 * ms, 1, false},
			{9002 * ms, 200 * ms, 1, false}, // a new second begins
			{10001 * ms, 200 * ms, 1, false},
			{10002 * ms, 200 * ms, 1, true},
		}},
		{"stands, until none is left", []struct {
			now, waited time.Duration
			left        int64
			refuses     bool
		}{
			{0, 300 * ms, 9, false},
			{1000 * ms, 300 * ms, 1, true},
			{1100 * ms, 3000 * ms, 0, false},
			{1200 * ms, 3000 * ms, 3, false},
		}},
		{"a burst", []struct {
			now, waited time.Duration
			left        int64
			refuses     bool
		}{
			{0, 300 * ms, 900, false},
			{500 * ms, 900 * ms, 200, false},
			{999 * ms, 1300 * ms, 1, false},
			{1000 * ms, 1300 * ms, 0, false},
		}},
		{"one in between waits for less", []struct {
			now, waited time.Duration
			left        int64
			refuses     bool
		}{
			{0, 300 * ms, 9, false},
			{900 * ms, 0, 9, false},
			{1000 * ms, 300 * ms, 9, false},
			{1999 * ms, 300 * ms, 9, false},
			{2000 * ms, 300 * ms, 9, true},
		}},
		{"seldom a task, and never two", []struct {
			now, waited time.Duration
			left        int64
			refuses     bool
		}{
			{0, time.Second, 0, false},
			{time.Hour, time.Second, 0, false},
			{time.Hour + 1, time.Second, 0, false},
		}},
	} {
		d := codel{target: 200 * ms}
		off := codel{}
		var shed uint64
		for i, task := range story.tasks {
			d.took(task.now, task.waited, task.left)
			off.took(task.now, task.waited, task.left)
			if got := d.refuses(); got != task.refuses {
				t.Errorf("%s, task %d: the next one is refused: %v, want %v", story.name, i, got, task.refuses)
			}
			if task.refuses {
				shed++
			}
			if off.refuses() {
				t.Errorf("%s, task %d: refused without a target", story.name, i)
			}
		}
		if got := d.shed.Load(); got != shed {
			t.Errorf("%s: %d counted, want %d", story.name, got, shed)
		}
	}
}

// TestStandingQueue gives one worker, who can do ten tasks a second, thirty. Of the
// level with a target the queue gets short again and again, and the others of its tasks
// are refused; the worker is never idle for it. Where there is no target, all are
// taken. When less is to do, nothing is refused any more.
func TestStandingQueue(t *testing.T) {
	for _, target := range []time.Duration{0, 200 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			x := NewExecutor(ExecutorOptions{Workers: 1, Levels: []Level{{Target: target}}})
			defer x.Close()
			task := func(_ Conn, _ time.Duration, _, out []byte) []byte {
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
				if refused > 0 || st.Levels[0].Shed != 0 || st.Levels[0].Standing {
					t.Errorf("without a target %d are refused: %+v", refused, st)
				}
			} else {
				if share := float64(refused) / tasks; share < 0.6 || share > 0.7 || int(st.Levels[0].Shed) != refused || int(st.Rejected) != refused {
					t.Errorf("%d of %d refused, want two thirds: %+v", refused, tasks, st)
				}
				if st.Depth > 40 {
					t.Errorf("%d wait, want what comes in little more than a second", st.Depth)
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
