package namesrv

import (
	"time"

	"gonamesrv/route"
)

// What a snapshot would have been good for that was not used, and who is waited for
// meanwhile.

const (
	// leastShadowWindow is the longest time between two registrations of a broker, 60
	// s, and 15 s more.
	leastShadowWindow = 75 * time.Second
	// longestShadowWindow is how long the slowest broker is waited for.
	longestShadowWindow = 10 * time.Minute
)

// enoughExpected is the part of the brokers of a snapshot that have to be there
// again for needWaitForService to keep nobody waiting any more.
const enoughExpected = 0.95

// A ShadowCount compares a snapshot with what has registered within the window
// after the start.
type ShadowCount struct {
	Right   int // in both, and the same
	Stale   int // in the snapshot only, or another one by now
	Missing int // by now only
}

// A RouteShadowStats is what a snapshot would have been good for with
// warmStart=shadow; all zero before the end of the window.
type RouteShadowStats struct {
	Brokers ShadowCount // members of broker names, with their addresses
	Rows    ShadowCount // topics of broker names, with their queues
}

// shadowWindow is how long after the start a snapshot is compared.
func (k *routeKeeper) shadowWindow() time.Duration {
	d := leastShadowWindow
	if k.shadow != nil {
		for i := range k.shadow.Lives {
			d = max(d, time.Duration(min(k.shadow.Lives[i].TimeoutMillis, longestShadowWindow.Milliseconds()))*time.Millisecond)
		}
	}
	return d
}

// compareShadow compares what was read at the start with what there is now.
func (k *routeKeeper) compareShadow() {
	diff := compareSaved(k.shadow, k.s.table.View().Save(k.s.nowMillis()))
	k.shadow = nil
	k.mu.Lock()
	k.diff = diff
	k.mu.Unlock()
	k.s.log.Info("snapshot of the routes compared with what has registered since, warmStart is shadow",
		"brokersRight", diff.Brokers.Right, "brokersStale", diff.Brokers.Stale, "brokersMissing", diff.Brokers.Missing,
		"topicsRight", diff.Rows.Right, "topicsStale", diff.Rows.Stale, "topicsMissing", diff.Rows.Missing)
}

// compareSaved compares what was with what is.
func compareSaved(was, is *route.Saved) (s RouteShadowStats) {
	s.Brokers = compareRows(membersOf(was), membersOf(is))
	s.Rows = compareRows(rowsOf(was), rowsOf(is))
	return s
}

func compareRows[K, V comparable](was, is map[K]V) (c ShadowCount) {
	for k, v := range was {
		if now, ok := is[k]; ok && now == v {
			c.Right++
		} else {
			c.Stale++
		}
	}
	for k := range is {
		if _, ok := was[k]; !ok {
			c.Missing++
		}
	}
	return c
}

// A memberName is a broker ID of a broker name.
type memberName struct {
	broker string
	id     int64
}

// membersOf returns the addresses of all members.
func membersOf(s *route.Saved) map[memberName]string {
	addrs := map[memberName]string{}
	for i := range s.Sets {
		for j := range s.Sets[i].Members {
			m := &s.Sets[i].Members[j]
			addrs[memberName{s.Sets[i].Name, m.ID}] = m.Addr
		}
	}
	return addrs
}

// A rowName is a topic of a broker name.
type rowName struct{ topic, broker string }

// rowsOf returns the queue datas of all topics.
func rowsOf(s *route.Saved) map[rowName]route.SavedOffer {
	rows := make(map[rowName]route.SavedOffer, len(s.Rows))
	at := 0
	for i := range s.Topics {
		for _, row := range s.Rows[at : at+s.Topics[i].Rows] {
			rows[rowName{s.Topics[i].Name, s.Sets[row.Set].Name}] = s.Offers[row.Offer]
		}
		at += s.Topics[i].Rows
	}
	return rows
}

// lookForExpected opens the gate of needWaitForService when nearly all brokers are
// there that the process before knew.
func (k *routeKeeper) lookForExpected() {
	if k.expected == nil {
		return
	}
	v, there := k.s.table.View(), 0
	for i := range k.expected.Lives {
		l := &k.expected.Lives[i]
		if _, ok := v.Live([]byte(l.Cluster), []byte(l.Addr)); ok {
			there++
		}
	}
	if float64(there) >= enoughExpected*float64(len(k.expected.Lives)) {
		k.open.Store(true)
		k.expected = nil
	}
}

// isOpen reports whether needWaitForService keeps nobody waiting, because of what
// was known before the start. Safe from any goroutine, and on a nil keeper.
func (k *routeKeeper) isOpen() bool { return k != nil && k.open.Load() }

// mayMiss reports whether a topic that nobody knows may be one that a broker has
// not told us of yet: one that was restored, and has not said all that it knows. As
// long as needWaitForService makes clients wait, they are not told that there is no
// such topic.
func (s *Server) mayMiss(cfg *Config) bool {
	return s.inWaitTime(cfg) && s.keeper.isOpen() && s.table.IsWarmingUp()
}
