package admin

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/meter"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestRates: what is shown a second is what has happened, by the time that has passed.
func TestRates(t *testing.T) {
	var r readings
	if rates := r.rates(); rates.Requests != nil {
		t.Error("there are rates before there are readings")
	}
	for i := range 30 {
		now := reading{at: time.Duration(i) * time.Second}
		now.requests, now.bytesIn = uint64(i*25), uint64(i*1000)
		r.add(now)
	}
	rates := r.rates()
	if *rates.Requests != 25 || *rates.BytesIn != 1000 || *rates.Heartbeats != 0 || len(r.list) != rateSpan+1 {
		t.Errorf("rates %v, %v, %v of %d readings", *rates.Requests, *rates.BytesIn, *rates.Heartbeats, len(r.list))
	}
}

// TestStatusHasRates: a server that runs takes readings by itself.
func TestStatusHasRates(t *testing.T) {
	f := newFixture(t, nil)
	client := nstest.Dial(t, f.addr)
	nstest.Eventually(t, "there are rates of misses", func() bool {
		client.Do(nstest.Route("none"))
		rates := f.readings.rates()
		return rates.RouteMisses != nil && *rates.RouteMisses > 0 && *rates.RouteReads >= *rates.RouteMisses
	})
}

// TestConnections: the list, page by page, is what the groups count, and names the brokers
// that came over each.
func TestConnections(t *testing.T) {
	f := newWorld(t)
	var brokers []string
	listed := 0
	for after := "0"; ; {
		var page listing[connAnswer]
		f.want(200, "/v1/connections?list=1&limit=3&after="+after, &page)
		for _, c := range page.Items {
			listed++
			brokers = append(brokers, c.Brokers...)
		}
		if after = page.Next; after == "" {
			break
		}
		if len(page.Items) != 3 {
			t.Fatalf("page %+v", page)
		}
	}
	slices.Sort(brokers)
	if want := []string{"broker c", "broker-a", "broker-a", "broker-b", "broker-d", "broker-e"}; !slices.Equal(brokers, want) {
		t.Errorf("brokers %q", brokers)
	}
	for _, by := range []string{"address", "language,version"} {
		var groups listing[connGroup]
		f.want(200, "/v1/connections?by="+url.QueryEscape(by), &groups)
		if len(groups.Items) != 1 || groups.Items[0].Count != listed {
			t.Errorf("by %s: %+v of %d", by, groups.Items, listed)
		}
	}
}

// TestLatencies: the quantiles are of what happened between the oldest reading and now.
func TestLatencies(t *testing.T) {
	var l latencies
	if got := l.answer(latencyReading{}); got.Request.P50 != nil || got.QueueWait.P99 != nil {
		t.Errorf("before anything was measured: %+v", got)
	}
	var h meter.Histogram
	for range 20 {
		h.AddMany(1e9, 1000) // long ago
		l.add(latencyReading{request: h.Read()})
	}
	for range 100_000 {
		h.Add(1e6)
	}
	got := l.answer(latencyReading{request: h.Read()})
	if p := *got.Request.P50; p < 1 || p > 1.25 || len(l.list) != latencySpan+1 {
		t.Errorf("half of them took %v ms of %d readings", p, len(l.list))
	}
}

// TestMissesAreNotRefused: that a topic is not there is an answer.
func TestMissesAreNotRefused(t *testing.T) {
	r := readingOf(&namesrv.Snapshot{Requests: []namesrv.RequestStats{
		{Code: codec.ReqGetRouteInfoByTopic, Refused: map[string]uint64{"notFound": 3, "queueFull": 4}},
		{Code: codec.ReqGetKVConfig, Refused: map[string]uint64{"notFound": 5}},
	}})
	if r.refused != 4 || r.routeMisses != 3 {
		t.Errorf("%d refused and %d misses, want 4 and 3", r.refused, r.routeMisses)
	}
}
