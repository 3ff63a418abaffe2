package route

import (
	"runtime"
	"sync"
	"sync/atomic"

	"gonamesrv/meter"
)

// A change may be large: a million topics in one registration, a connection with
// a thousand brokers. It is cut into steps: whoever waits for the lock gets in
// after the step at hand. Between two steps everything that CheckInvariants
// demands holds, and is published if somebody gets in. What others may see of the
// change then:
//
//   - Of a registration: the broker, at once; its topics, one after the other.
//     Its data version is shown last, so that QUERY_DATA_VERSION does not say
//     "unchanged" of a registration that is applied in part.
//   - Of brokers that leave: each broker set is left at once, by all of them that
//     it loses. A set that has lost its last member is gone from all answers in
//     that same instant; its rows in topicQueueTable, which nobody is shown any
//     more, are swept afterwards (sweep).
//   - Of a permission that is taken or given: topic after topic.
//
// One topic always changes in one instant. What follows for other changes is
// that of a serial history, because changes of one broker set take turns (take):
// a second registration of a name waits for the first one's last step, and while a
// broker is about to leave, neither it nor another one registers under its name.
// Changes of a single topic (RegisterTopic, DeleteTopic) wait for nobody: for
// that topic they come before the registration or after it.
//
// That holds for brokers as they are: each address keeps to one broker name, and a
// body lists no topic twice and no static mapping of another name. Turns are taken
// for the name of a registration, and for no other that it touches on the way. A
// broker that registers during a scan is not judged by it, even if its time-out is
// negative.

// stepWork is how much work makes a step, in units of about 0.2 µs: 1 to look at
// a topic, 4 more to change it or a broker set, 8 to take a live entry from a
// member (BenchmarkStep).
const stepWork = 4096

// A lock is a mutex that knows whether somebody waits for it, and for how long it is
// waited for and held.
type lock struct {
	mu      sync.Mutex
	waiting atomic.Int32

	nanotime   func() int64 // nil: nothing is timed; constant
	since      int64        // when it was taken; under mu
	wait, hold meter.Histogram
}

func (l *lock) Lock() {
	if l.mu.TryLock() {
		l.took(0)
		return
	}
	began := l.now()
	l.waiting.Add(1)
	l.mu.Lock()
	l.waiting.Add(-1)
	l.took(began)
}

// took notes that the lock is taken, for which the caller has waited since began; 0: at
// once.
func (l *lock) took(began int64) {
	if l.nanotime == nil {
		return
	}
	l.since = l.nanotime()
	if began == 0 {
		began = l.since
	}
	l.wait.Add(l.since - began)
}

func (l *lock) Unlock() {
	since := l.since
	l.mu.Unlock()
	if l.nanotime != nil {
		l.hold.Add(l.nanotime() - since)
	}
}

func (l *lock) now() int64 {
	if l.nanotime == nil {
		return 0
	}
	return l.nanotime()
}

// pause ends the step if it is due to. Under mu, which is let go meanwhile:
// everything that is not held by a turn may have changed afterwards.
func (t *Table) pause() {
	if t.due() {
		t.flush()
	}
}

// maxRetiring is how many encoded routes a step lets go of, which costs about
// 0.3 µs each: 0.6 ms, when it is published.
const maxRetiring = 2048

// due reports whether the step is to end here: it has done enough, and somebody
// waits. If nobody does, the next step joins it: publishing costs a copy of the
// nodes that are changed again. They join until there is much to retire, which
// comes with the publishing. Under mu.
func (t *Table) due() bool {
	if t.retiring >= maxRetiring {
		return true
	}
	if t.work < t.stepWork {
		return false
	}
	if t.betweenSteps != nil || t.mu.waiting.Load() > 0 || len(t.replaced) >= maxKeptReplaced {
		return true
	}
	t.endStep()
	return false
}

// endStep begins to count the work of the next step. Under mu.
func (t *Table) endStep() {
	t.counted.entries.Store(int64(t.entries))
	t.counted.brokers.Store(int64(len(t.links)))
	t.heaviest = max(t.heaviest, t.work)
	t.work = 0
}

// flush ends the step: publishes it, lets others in and tells of it. Under mu.
func (t *Table) flush() {
	defer t.mu.Lock() // whatever OnEvent does: the change ends with an unlock
	t.unlock()
	if t.betweenSteps != nil {
		t.betweenSteps()
	}
	runtime.Gosched()
}

// take waits for the caller's turn to change s: who asks first comes first. It
// reports whether it had to wait, so that everything may have changed, s may even
// be gone. Each take needs a release. Under mu.
func (t *Table) take(s *brokerSet) (waited bool) {
	ticket := s.tickets
	s.tickets++
	if s.turn == ticket {
		return false
	}
	t.flush()
	for s.turn != ticket {
		t.turns.Wait()
	}
	return true
}

// release ends the turn of the caller. Under mu.
func (t *Table) release(s *brokerSet) {
	s.turn++
	if s.taken() {
		t.turns.Broadcast()
	}
}

// taken reports whether somebody is in the middle of a change of s. Under mu.
func (s *brokerSet) taken() bool { return s.turn != s.tickets }

// enter waits until the registration r may begin, and returns the broker set
// whose turn it has then: nil when the name is free. Under mu.
func (t *Table) enter(r *Registration) *brokerSet {
	for {
		if old := t.leaving[r.BrokerName]; old != nil {
			t.sweep(old)
			continue // the lock may have been free
		}
		if l := t.live(r.key()); l != nil && l.doomed {
			t.flush()
			for t.live(r.key()) == l {
				t.turns.Wait()
			}
			continue
		}
		s := t.set(r.BrokerName)
		if s != nil && s.doomed > 0 {
			t.flush()
			for t.set(r.BrokerName) == s && s.doomed > 0 {
				t.turns.Wait()
			}
			continue
		}
		if s == nil || !t.take(s) {
			return s
		}
		if l := t.live(r.key()); t.set(r.BrokerName) == s && s.doomed == 0 && (l == nil || !l.doomed) {
			return s
		}
		t.release(s)
	}
}

func (r *Registration) key() BrokerKey { return BrokerKey{r.Cluster, r.BrokerAddr} }
