package bench

import (
	"net"
	"testing"
	"time"
)

// TestPreloadWithin: the timeout of a scenario bounds each answer of the preload. A
// broker that registers on its period never waits longer than real ones do.
func TestPreloadWithin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it accepts in the kernel, and nobody answers
	for _, timeout := range []time.Duration{time.Millisecond, time.Hour} {
		b := &regular{}
		c, _, err := b.connection(t.Context(), &dialer{address: l.Addr().String()}, timeout)
		if err != nil {
			t.Fatal(err)
		}
		if want := min(timeout, registerWithin); c.within != want {
			t.Errorf("with a timeout of %v a broker waits for %v, want %v", timeout, c.within, want)
		}
		c.close()
	}
	r := &run{p: Params{Timeout: Duration(time.Millisecond), Brokers: 1, Topics: 1, BrokersPerTopic: 1, Header: "JSON"}, res: new(Result)}
	r.d = newDriver(l.Addr().String(), 1)
	r.fleet = newFleet(r.p, 1)
	k := &keeper{regs: []*registered{{registration: newRegistration(r.fleet, r.fleet.brokers[0], false, 0), f: r.fleet, now: r.d.now}}}
	if err := k.register(t.Context(), r); err == nil {
		t.Error("nobody has answered, and it is registered")
	}
	if k.within != time.Millisecond {
		t.Errorf("a keeper waits for %v", k.within)
	}
	k.close()
}
