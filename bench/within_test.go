package bench

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestConnectWithin: the timeout of a scenario bounds each attempt to connect, be it
// shorter than what systems wait for or longer, and whoever makes it.
func TestConnectWithin(t *testing.T) {
	for _, within := range []time.Duration{200 * time.Millisecond, time.Minute} {
		sc := scenarioNamed(t, "route")
		sc.Params.Timeout = Duration(within)
		brokers, err := NewRegistrar(sc, "127.0.0.1:1", 1)
		if err != nil {
			t.Fatal(err)
		}
		d := &driver{dialer: dialer{address: "127.0.0.1:1", within: within}}
		for name, connect := range map[string]func(context.Context) error{
			"load":    func(ctx context.Context) error { _, err := d.dialLoad(ctx); return err },
			"caller":  func(ctx context.Context) error { _, err := dialCaller(ctx, &d.dialer); return err },
			"reach":   d.reach,
			"brokers": func(ctx context.Context) error { _, err := brokers.Register(ctx, false); return err },
		} {
			synctest.Test(t, func(t *testing.T) {
				silent := func(ctx context.Context) error {
					<-ctx.Done()
					return ctx.Err()
				}
				d.attempt, brokers.dialer.attempt = silent, silent
				from := time.Now()
				err := connect(t.Context())
				if took := time.Since(from); !errors.Is(err, context.DeadlineExceeded) || took != within {
					t.Errorf("%s: nobody answers, and within %v it is given up after %v: %v", name, within, took, err)
				}
			})
		}
	}
}

// TestRunConnectsWithin: each connection of a run has the scenario's timeout.
func TestRunConnectsWithin(t *testing.T) {
	const within = 70 * time.Second
	seen := time.Duration(0)
	sc := scenarioNamed(t, "route")
	sc.Params.Timeout, sc.Params.Topics, sc.Params.Connections, sc.Params.Requests, sc.Params.Duration = Duration(within), 4, 1, 5, Duration(10*time.Minute)
	echoed(t, sc, func(r *run) {
		r.opt.Ready = func(context.Context) error {
			seen = r.d.within
			return nil
		}
	})
	if seen != within {
		t.Errorf("connections have %v, want %v", seen, within)
	}
}

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
