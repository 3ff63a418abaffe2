package bench_test

import (
	"sync"
	"testing"

	"gonamesrv/codec"
)

// A told is what a broker told of itself at one moment.
type told struct {
	gone    string // how it had left before: "unregistered", "closed" or ""
	counter int64
	queues  []int32 // read queues of each topic
}

// TestRegistrations: each way of registering is what it is called, and each has a
// row of its own.
func TestRegistrations(t *testing.T) {
	const each = 4
	var mu sync.Mutex
	var all []told
	gone := ""
	f := startFakeWith(t, func(f *fakeServer) {
		f.before = func(req *codec.Command) {
			mu.Lock()
			defer mu.Unlock()
			switch req.Code {
			case codec.ReqUnregisterBroker:
				gone = "unregistered"
			case codec.ReqRegisterBroker:
				var body codec.RegisterBrokerBody
				if err := body.Decode(req.Body, req.Version, false, 0); err != nil {
					t.Error(err)
				}
				one := told{gone: gone, counter: body.DataVersion.Counter}
				for _, c := range body.Topics {
					one.queues = append(one.queues, int32(c.ReadQueueNums))
				}
				all = append(all, one)
				gone = ""
			}
		}
		f.closed = func() { // there is one broker, and it is gone
			mu.Lock()
			if gone == "" {
				gone = "closed"
			}
			mu.Unlock()
			f.mu.Lock()
			clear(f.routes)
			clear(f.dv)
			f.mu.Unlock()
		}
	})
	sc := scenario(t, "registrations", "brokers", "1", "brokers-per-topic", "1", "topics", "98", "requests", "24", "duration", "10m")
	res := run(t, sc, at(f.addr))
	names := []string{"first", "returning", "unchanged", "bumped", "1 % changed", "all changed"}
	if len(all) != 1+each*len(names) {
		t.Fatalf("%d registrations, want %d", len(all), 1+each*len(names))
	}
	for i, name := range names {
		o := op(t, res, name, "register "+name)
		if len(res.Phases) != len(names) || len(res.Phases[i].Ops) != 1 || o.Answered != each || o.Sent != each || o.Latency.P50 <= 0 || o.Bytes.Sent < 98*50*each {
			t.Errorf("phase %s is %+v", name, res.Phases[i])
		}
		for j := range each {
			at := 1 + i*each + j
			now, before := all[at], all[at-1]
			changed := 0
			for k := range now.queues {
				if now.queues[k] != before.queues[k] {
					changed++
				}
			}
			wantGone := map[string]string{"first": "unregistered", "returning": "closed"}[name]
			bumped := i >= 3
			wantChanged := map[string]int{"1 % changed": 1, "all changed": len(now.queues)}[name]
			if now.gone != wantGone || (now.counter == before.counter+1) != bumped || (now.counter == before.counter) == bumped || changed != wantChanged {
				t.Errorf("%s, %d: left by %q, data version %d after %d, %d of %d topics changed", name, j, now.gone, now.counter, before.counter, changed, len(now.queues))
			}
		}
	}
}
