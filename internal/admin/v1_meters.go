package admin

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"gonamesrv/engine"
	"gonamesrv/internal/meter"
	"gonamesrv/internal/namesrv"
)

// latencySpan is over how many readings latencies are taken: one each rateSpan seconds.
const latencySpan = 6

// A latencyReading is the distributions at one time.
type latencyReading struct{ request, loopDelay, queueWait meter.Reading }

// latencies are the last readings, the oldest first.
type latencies struct {
	mu   sync.Mutex
	list []latencyReading // at most latencySpan + 1
}

func latencyOf(m *namesrv.Meters) (r latencyReading) {
	for i := range m.Requests {
		r.request.Merge(&m.Requests[i].Duration)
	}
	for i := range m.LoopDelay {
		r.loopDelay.Merge(&m.LoopDelay[i])
	}
	for i := range m.Pools {
		r.queueWait.Merge(&m.Pools[i].Wait)
	}
	return r
}

func (l *latencies) add(r latencyReading) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) > latencySpan {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, r)
}

// answer returns the quantiles between the oldest reading and now.
func (l *latencies) answer(now latencyReading) latencyAnswer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) > 0 {
		first := &l.list[0]
		now.request = now.request.Since(&first.request)
		now.loopDelay = now.loopDelay.Since(&first.loopDelay)
		now.queueWait = now.queueWait.Since(&first.queueWait)
	}
	return latencyAnswer{
		Request:   quantiles{quantileMs(&now.request, 0.5), quantileMs(&now.request, 0.99)},
		LoopDelay: quantiles{quantileMs(&now.loopDelay, 0.5), quantileMs(&now.loopDelay, 0.99)},
		QueueWait: highest{quantileMs(&now.queueWait, 0.99)},
	}
}

// quantileMs is nil if nothing was measured.
func quantileMs(r *meter.Reading, q float64) *float64 {
	if r.Count == 0 {
		return nil
	}
	ns := min(r.Quantile(q), uint64(math.MaxInt64))
	ms := math.Round(float64(ns)/1e3) / 1e3
	return &ms
}

type connGroup struct {
	Language  *string `json:"language,omitempty"`
	Version   *string `json:"version,omitempty"`
	Address   *string `json:"address,omitempty"`
	Transport string  `json:"transport"`
	Count     int     `json:"count"`
}

type connAnswer struct {
	ID       number   `json:"id"`
	Address  string   `json:"address"`
	Language *string  `json:"language"`
	Version  *string  `json:"version"`
	TLS      bool     `json:"tls"`
	Since    stamp    `json:"since"`
	IdleMs   int64    `json:"idleMs"`
	Requests number   `json:"requests"`
	Brokers  []string `json:"brokers"`
}

// connections counts the connections by kind of client, or by address, or lists them.
func (a *Admin) connections(q *query) (any, error) {
	limit, each := q.limit(largestPage), q.flag("list")
	after := q.whole("after", 0, 0, math.MaxInt64)
	by := q.text("by")
	if q.values.Has("by") && by != "address" && by != "language,version" {
		q.refuse("by is %s, must be language,version or address", quoted(by))
	}
	if err := q.fault(); err != nil {
		return nil, err
	}
	conns, err := a.server.Connections(q.Context())
	switch {
	case errors.Is(err, engine.ErrNotRunning):
		conns = nil
	case err != nil:
		return nil, &fault{kind: kindBusy, detail: "the event loops do not answer", retryAfter: 1}
	}
	generation := a.generation(a.server.View())
	if !each {
		return listing[connGroup]{Generation: generation, Items: groupConns(conns, by == "address")}, nil
	}
	l, now := listing[connAnswer]{Generation: generation, Items: []connAnswer{}}, a.server.WallTime()
	from, _ := slices.BinarySearchFunc(conns, uint64(after)+1, func(c namesrv.Connection, id uint64) int { return cmp.Compare(c.ID, id) })
	for _, c := range conns[from:] {
		if len(l.Items) == limit {
			l.Next = strconv.FormatInt(int64(l.Items[limit-1].ID), 10)
			break
		}
		l.Items = append(l.Items, connAnswer{
			ID: number(c.ID), Address: addressOf(&c), Language: optional(c.Language), Version: optional(c.Version), TLS: c.TLS,
			Since: stamp(now.Add(-c.Age)), IdleMs: c.Idle.Milliseconds(), Requests: number(c.Served), Brokers: append([]string{}, c.Brokers...),
		})
	}
	return l, nil
}

// addressOf returns whom a connection is from: who is claimed, else the peer.
func addressOf(c *namesrv.Connection) string {
	if c.Claimed.IsValid() {
		return c.Claimed.String()
	}
	return c.Peer.String()
}

// mostGroups bounds the groups that an answer has; they are those with the most
// connections.
const mostGroups = 1000

func groupConns(conns []namesrv.Connection, byAddress bool) []connGroup {
	type key struct {
		a, b string
		tls  bool
	}
	counts := map[key]int{}
	for i := range conns {
		c := &conns[i]
		k := key{c.Language, c.Version, c.TLS}
		if byAddress {
			k.a, k.b = c.Peer.Addr().Unmap().String(), ""
			if c.Claimed.IsValid() {
				k.a = c.Claimed.Addr().Unmap().String()
			}
		}
		counts[k]++
	}
	groups := make([]connGroup, 0, len(counts))
	for k, n := range counts {
		g := connGroup{Transport: "tcp", Count: n}
		if k.tls {
			g.Transport = "tls"
		}
		if byAddress {
			g.Address = &k.a
		} else {
			g.Language, g.Version = &k.a, &k.b
		}
		groups = append(groups, g)
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	slices.SortFunc(groups, func(a, b connGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(text(a.Language), text(b.Language)), cmp.Compare(text(a.Version), text(b.Version)),
			cmp.Compare(text(a.Address), text(b.Address)), cmp.Compare(a.Transport, b.Transport))
	})
	return groups[:min(len(groups), mostGroups)]
}

type hitter struct {
	Name  string `json:"name"`
	Count number `json:"count"`
	Error number `json:"error"`
}

// top lists who asks most, or what is asked for most, lately.
func (a *Admin) top(q *query) (any, error) {
	const most = 256
	limit := q.whole("limit", 20, 1, most)
	by := q.text("by")
	top := a.server.Top(limit)
	var counts []meter.Count
	switch {
	case by == "topic", !q.values.Has("by"):
		counts = top.Topics
	case by == "missedTopic":
		counts = top.Missed
	case by == "peer":
		counts = top.Peers
	default:
		q.refuse("by is %s, must be topic, missedTopic or peer", quoted(by))
	}
	if err := q.fault(); err != nil {
		return nil, err
	}
	l := listing[hitter]{Generation: a.generation(a.server.View()), Items: []hitter{}}
	for _, c := range counts {
		l.Items = append(l.Items, hitter{c.Name, number(c.Count), number(c.Error)})
	}
	return l, nil
}

// stampOf returns a moment, nil for the zero one.
func stampOf(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}
