package admin

import (
	"context"
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
)

// rateSpan is over how many seconds rates are taken.
const rateSpan = 10

// A reading is the counters of a server at one time, of which rates are made.
type reading struct {
	at time.Duration // uptime
	counts
	rejected   [5]uint64 // by queue, as queuesOf has them
	logDropped uint64    // lines
}

// counts are what has happened since the start.
type counts struct {
	requests, routeReads, routeMisses, registrations, heartbeats, refused, bytesIn, bytesOut uint64
}

// readings are the last ones, one a second, the oldest first.
type readings struct {
	mu      sync.Mutex
	list    []reading // at most rateSpan + 1
	process processStats
	readAt  time.Duration // uptime, when process was read
	cpu     *float64      // percent of one processor, between the last two readings of it
}

// takeReadings takes one each second until ctx is done. It also looks after what is kept
// for those who ask again.
func (a *Admin) takeReadings(ctx context.Context) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for n := 0; ; n++ {
		snap := a.server.Snapshot()
		a.readings.add(readingOf(&snap))
		var delay *float64
		if n%rateSpan == 0 {
			stats := readProcess()
			a.readings.mu.Lock()
			a.readings.cpu = cpuPercent(a.readings.process, stats, snap.Uptime-a.readings.readAt)
			a.readings.process, a.readings.readAt = stats, snap.Uptime
			a.readings.mu.Unlock()
			a.names.forget(time.Now())
			m := a.server.Meters()
			latency := latencyOf(&m)
			delay = a.latencies.answer(latency).LoopDelay.P99
			a.latencies.add(latency)
			a.attention(&snap, a.survey(a.server.View()))
		}
		a.sample(a.server.WallTime(), snap.Engine.Open, delay)
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

func readingOf(snap *namesrv.Snapshot) reading {
	r := reading{at: snap.Uptime}
	for i := range snap.Requests {
		st := &snap.Requests[i]
		r.requests += st.Requests
		for why, n := range st.Refused {
			switch {
			case why != "notFound": // which is an answer
				r.refused += n
			case st.Code == codec.ReqGetRouteInfoByTopic:
				r.routeMisses += n
			}
		}
		switch st.Code {
		case codec.ReqGetRouteInfoByTopic:
			r.routeReads = st.Requests
		case codec.ReqRegisterBroker:
			r.registrations = st.Requests
		case codec.ReqBrokerHeartbeat:
			r.heartbeats = st.Requests
		}
	}
	r.logDropped = snap.Log.StderrDropped + snap.Log.FileDropped
	r.bytesIn, r.bytesOut = snap.Engine.BytesIn, snap.Engine.BytesOut
	for i, q := range queuesOf(snap) {
		r.rejected[i] = uint64(q.Rejected)
	}
	return r
}

func (r *readings) add(now reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) > rateSpan {
		copy(r.list, r.list[1:])
		r.list = r.list[:rateSpan]
	}
	r.list = append(r.list, now)
}

// span returns the oldest and the newest reading, false if there are not two that are
// apart.
func (r *readings) span() (from, to reading, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) < 2 {
		return from, to, false
	}
	from, to = r.list[0], r.list[len(r.list)-1]
	return from, to, to.at > from.at
}

type ratesAnswer struct {
	Requests      *float64 `json:"requests"`
	RouteReads    *float64 `json:"routeReads"`
	RouteMisses   *float64 `json:"routeMisses"`
	Registrations *float64 `json:"registrations"`
	Heartbeats    *float64 `json:"heartbeats"`
	Refused       *float64 `json:"refused"`
	BytesIn       *float64 `json:"bytesIn"`
	BytesOut      *float64 `json:"bytesOut"`
}

// rates returns what happened a second, over the last ten.
func (r *readings) rates() (rates ratesAnswer) {
	from, to, ok := r.span()
	if !ok {
		return rates
	}
	seconds := (to.at - from.at).Seconds()
	rate := func(was, is uint64) *float64 {
		v := float64(int64(float64(is-was)/seconds*10+0.5)) / 10
		return &v
	}
	return ratesAnswer{
		rate(from.requests, to.requests), rate(from.routeReads, to.routeReads), rate(from.routeMisses, to.routeMisses),
		rate(from.registrations, to.registrations), rate(from.heartbeats, to.heartbeats), rate(from.refused, to.refused),
		rate(from.bytesIn, to.bytesIn), rate(from.bytesOut, to.bytesOut),
	}
}
