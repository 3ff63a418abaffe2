package namesrv

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gonamesrv/engine"
)

// TestMissCount counts the misses of one connection, so many in each second, and looks
// how many answers are delayed.
func TestMissCount(t *testing.T) {
	for _, story := range []struct {
		name         string
		misses, want []int // by second
	}{
		{"few", []int{20, 20, 1, 20}, []int{0, 0, 0, 0}},
		{"a loop, fast and then slowed down", []int{25, 10, 5, 5, 4, 20}, []int{5, 10, 5, 5, 4, 0}},
		{"ends with a pause", []int{25, 0, 0, 20, 25}, []int{5, 0, 0, 0, 5}},
	} {
		var m missCount
		start := time.Now()
		for second, n := range story.misses {
			delayed := 0
			for i := range n {
				many, first := m.miss(start.Add(time.Duration(second)*time.Second + time.Duration(i)*time.Millisecond))
				if first && (i != manyMisses || !many) {
					t.Errorf("%s: miss %d of second %d is the first too many", story.name, i, second)
				}
				if many {
					delayed++
				}
			}
			if delayed != story.want[second] {
				t.Errorf("%s: second %d: %d of %d are delayed, want %d", story.name, second, delayed, n, story.want[second])
			}
		}
	}
}

// A sink is a connection that notes what is sent to it, and when.
type sink struct {
	engine.Conn
	id    uint64 // 0: 7
	began time.Time
	dead  bool
	mu    sync.Mutex
	sent  []string
	at    []time.Duration
}

func (c *sink) ID() uint64  { return cmp.Or(c.id, 7) }
func (c *sink) Alive() bool { return !c.dead }

func (c *sink) Send(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent, c.at = append(c.sent, string(b)), append(c.at, time.Since(c.began))
}

// take forgets what was sent, and returns when the first of it was.
func (c *sink) take() (at time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sent) == 0 {
		return 0, false
	}
	at = c.at[0]
	c.sent, c.at = nil, nil
	return at, true
}

// TestDamper delays answers, one each millisecond, and as many as there is room for.
// Each leaves as much later as belongs to its connection, in its turn; when the server ends, all leave at once.
func TestDamper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := engine.NewBudget(64 << 20)
		d := newDamper(b)
		c := &sink{began: time.Now()}
		if d.delay(c, []byte("too early")) {
			t.Error("an answer is delayed that nobody will send")
		}
		ctx, stop := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() { d.run(ctx) })
		synctest.Wait()
		var want []string
		for i := range 500 {
			want = append(want, fmt.Sprint(i))
			if !d.delay(c, fmt.Append(nil, i)) {
				t.Fatalf("no room for answer %d", i)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !slices.Equal(c.sent, want) {
			t.Errorf("sent: %q", c.sent)
		}
		sevenLater := missDelay + 7*missRound
		for i, at := range c.at {
			if late := at - time.Duration(i)*time.Millisecond; late < sevenLater || late > sevenLater+missRound {
				t.Errorf("answer %d is sent after %v", i, late)
			}
		}
		if d.delay(c, make([]byte, maxDelayedReply+1)) {
			t.Error("a long answer is delayed")
		}
		c.sent = nil
		n := 0
		for ; n < 2*maxDelayed && d.delay(c, []byte("x")); n++ {
		}
		if st := d.stats(); n != maxDelayed || st.Waiting != maxDelayed || st.Delayed != maxDelayed+500 || st.NotDelayed != 3 {
			t.Errorf("%d wait, want %d: %+v", n, maxDelayed, st)
		}
		stop()
		ended.Wait()
		if len(c.sent) != maxDelayed || d.stats().Waiting != 0 || b.Queued() != 0 {
			t.Errorf("in the end %d are sent, %d wait, and %d bytes are reserved", len(c.sent), d.stats().Waiting, b.Queued())
		}
		if d.delay(c, []byte("too late")) {
			t.Error("an answer is delayed that nobody will send")
		}
		small := newDamper(engine.NewBudget(8))
		small.running = true
		if small.delay(c, make([]byte, 5)) || !small.delay(c, make([]byte, 4)) {
			t.Error("the budget does not count")
		}
	})
}

// TestDamperSpreads has 300 clients in a loop, all of which ask at once in the beginning.
// They soon ask, and are answered, a few at a time: whoever else asks does not meet a
// burst.
func TestDamperSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDamper(engine.NewBudget(0))
		ctx, stop := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() { d.run(ctx) })
		synctest.Wait()
		const clients, seconds = 300, 2
		all := make([]*sink, clients)
		for i := range all {
			all[i] = &sink{id: uint64(1000 + i), began: time.Now()}
			d.delay(all[i], []byte("x"))
		}
		perRound, answers := map[time.Duration]int{}, 0
		for began := time.Now(); time.Since(began) < seconds*time.Second; time.Sleep(missRound) {
			synctest.Wait()
			for _, c := range all {
				at, ok := c.take()
				if !ok {
					continue
				}
				perRound[at]++
				answers++
				d.delay(c, []byte("x"))
			}
		}
		if perSecond := answers / seconds; perSecond < clients*7 || perSecond > clients*10 {
			t.Errorf("%d answers in %d s to %d clients, want 7 to 10 a second for each", answers, seconds, clients)
		}
		for at, n := range perRound {
			if n > clients/5 { // now and then the turns of several delays fall together
				t.Errorf("%d answers leave at once after %v", n, at)
			}
		}
		stop()
		ended.Wait()
	})
}

// TestDamperSooner: who asks later may have to be answered sooner.
func TestDamperSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDamper(engine.NewBudget(0))
		ctx, stop := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() { d.run(ctx) })
		synctest.Wait()
		began := time.Now()
		slow, fast := &sink{id: missSteps - 1, began: began}, &sink{id: missSteps, began: began}
		d.delay(slow, []byte("x"))
		time.Sleep(10 * time.Millisecond)
		d.delay(fast, []byte("x"))
		time.Sleep(time.Second)
		synctest.Wait()
		if len(fast.at) != 1 || fast.at[0] != missDelay+10*time.Millisecond || len(slow.at) != 1 || slow.at[0] != missDelay+(missSteps-1)*missRound {
			t.Errorf("answered after %v and %v", fast.at, slow.at)
		}
		stop()
		ended.Wait()
	})
}

// TestLongestDelayedReply: an answer of 1 KiB may wait.
func TestLongestDelayedReply(t *testing.T) {
	for size, want := range map[int]bool{1 << 10: true, 1<<10 + 1: false} {
		d := newDamper(engine.NewBudget(0))
		d.running = true
		if got := d.delay(&sink{}, make([]byte, size)); got != want {
			t.Errorf("%d bytes wait: %v, want %v", size, got, want)
		}
	}
}

// TestMissesOfTheDead: a worker may serve a request whose connection is gone already.
// Nothing of it is kept.
func TestMissesOfTheDead(t *testing.T) {
	d := newDamper(engine.NewBudget(0))
	for _, dead := range []bool{false, true} {
		d.miss(&sink{dead: dead})
		if got, want := d.stats().Askers, map[bool]int{false: 1, true: 0}[dead]; got != want {
			t.Errorf("dead: %v: %d connections are counted, want %d", dead, got, want)
		}
	}
}

// TestNormalMisses: nobody has to wait for what well-behaved peers ask.
func TestNormalMisses(t *testing.T) {
	for topic, want := range map[string]bool{
		"TBW102": true, "AUTO_CREATE_TOPIC_KEY": true, "%RETRY%g": true, "%DLQ%g": true, "rmq_sys_SYNC_BROKER_MEMBER_a": true,
		"T": false, "": false, "TBW1022": false, "x%RETRY%g": false, "%RETRY": false,
	} {
		if got := isNormalMiss([]byte(topic)); got != want {
			t.Errorf("%s: %v, want %v", topic, got, want)
		}
	}
}
