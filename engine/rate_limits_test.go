package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// limited limits the requests of this machine.
func limited(perSecond int) func(o *Options) {
	return func(o *Options) { o.RequestsPerAddress, o.limitLoopback = perSecond, true }
}

// rateLimits are the rules for who asks too fast, see bucket.go and slow.go.
var rateLimits = []limitRule{
	{name: "an address that asks too fast is served later, in order, and loses nothing", run: func(r *limitRig) {
		r.start(nil, limited(10))
		c, other := r.dial(), r.dial() // of one address
		const n = 75
		var all []byte
		for i := range n {
			all = append(all, textFrame("request %d", i)...)
		}
		c.send(all)
		for i := range 20 {
			c.want(fmt.Sprintf("request %d", i))
		}
		r.slow(1)
		other.send(textFrame("other"))
		r.slow(2)
		if st := r.s.Stats(); st.Frames != 20 || st.TooFast != 2 || st.Addresses != 1 {
			r.Errorf("%d served, %d too fast, of %d addresses; want 20, 2 and 1", st.Frames, st.TooFast, st.Addresses)
		}
		for served := uint64(20); served < n+1; served += 10 {
			r.clock.advance(time.Second)
			want := min(served+10, n+1)
			eventually(r, fmt.Sprintf("%d served", want), func() bool { return r.s.Stats().Frames == want })
		}
		r.slow(0)
		for i := 20; i < n; i++ {
			c.want(fmt.Sprintf("request %d", i))
		}
		other.want("other")
		r.clock.advance(time.Minute)
		c.send(textFrame("last"))
		c.want("last")
	}},
	{name: "slow peers of one address take turns", run: func(r *limitRig) {
		r.start(nil, limited(10))
		var peers []*limitPeer
		for range 4 {
			c := r.dial()
			c.send(bytes.Repeat(textFrame("x"), 100))
			peers = append(peers, c)
		}
		r.slow(len(peers))
		for _, c := range peers { // those that come first ask without end
			c.send(bytes.Repeat(textFrame("y"), 100))
		}
		late := r.dial()
		late.send(textFrame("late"))
		r.slow(len(peers) + 1)
		for range len(peers) + 1 { // a token each
			frames := r.s.Stats().Frames
			r.clock.advance(100 * time.Millisecond)
			eventually(r, "one is served", func() bool { return r.s.Stats().Frames == frames+1 && r.s.Stats().Slowed >= len(peers) })
		}
		late.want("late")
	}, plainOnly: "its readers are woken in no order"},
	{name: "who is only counted does not wait", run: func(r *limitRig) {
		r.start(nil, func(o *Options) {
			limited(10)(o)
			o.RequestsMonitor = true
		})
		c := r.dial()
		c.send(bytes.Repeat(textFrame("x"), 50))
		for range 50 {
			c.want("x")
		}
		if st := r.s.Stats(); st.TooFast != 30 || st.Slowed != 0 {
			r.Errorf("%d too fast and %d slow, want 30 and none", st.TooFast, st.Slowed)
		}
	}},
	{name: "this machine, and whoever is exempt, asks as fast as it likes", run: func(r *limitRig) {
		r.start(nil, func(o *Options) {
			limited(10)(o)
			if r.secure {
				o.RequestsExempt = func(a netip.Addr) bool { return a.IsLoopback() }
			} else {
				o.limitLoopback = false
			}
		})
		c := r.dial()
		c.send(bytes.Repeat(textFrame("x"), 50))
		for range 50 {
			c.want("x")
		}
		if st := r.s.Stats(); st.TooFast != 0 || st.Addresses != 0 {
			r.Errorf("%d too fast, of %d addresses, want none", st.TooFast, st.Addresses)
		}
	}},
	{name: "a slow peer is not silent, and not late with its frame", run: func(r *limitRig) {
		r.start(nil, func(o *Options) {
			limited(10)(o)
			o.FirstFrameTimeout, o.FrameTimeout = 10*time.Second, 10*time.Second
		})
		c := r.dial()
		c.send(textFrame("hello"))
		c.want("hello")
		frame := textFrame("in two pieces")
		c.send(frame[:6])
		c.wantBegun()
		c.conn.bucket.full.Store(int64(10 * time.Hour)) // there will be no token
		c.send(frame[6:])
		r.slow(1)
		for range 5 {
			r.clock.advance(100 * time.Second)
			eventually(r, "noticed", func() bool { return c.active() >= r.s.now() })
			r.wantOpen(1, "while it is slow")
		}
		c.conn.bucket.full.Store(0)
		c.want("in two pieces")
		r.slow(0)
	}},
	{name: "a slow peer is closed when it has to be, and leaves when it likes", run: func(r *limitRig) {
		defer func(d time.Duration) { hangUpTime = d }(hangUpTime)
		hangUpTime = 50 * time.Millisecond
		r.start(nil, limited(10))
		c, left := r.dial(), r.dial()
		c.conn.bucket.full.Store(int64(10 * time.Hour))
		reason := errors.New("has to go")
		c.send(textFrame("x"))
		left.send(textFrame("x"))
		r.slow(2)
		c.conn.Close(reason)
		c.wantClosed(reason)
		r.slow(1)
		left.raw.Close()
		left.conn.bucket.full.Store(0) // with TLS the reader reads on then
		eventually(r, "left", func() bool { return r.s.Stats().Open == 0 })
		r.slow(0)
		r.s.buckets.mu.Lock()
		defer r.s.buckets.mu.Unlock()
		if idle := r.s.buckets.idle.Len(); idle != 1 {
			r.Errorf("%d addresses are remembered that have no connection, want 1", idle)
		}
	}},
	{name: "a slow peer that sends on is closed", run: func(r *limitRig) {
		r.start(nil, func(o *Options) {
			limited(10)(o)
			o.ChokedInput = 100 << 10
		})
		c := r.dial()
		request := textFrame("%01000d", 1)
		for sent := 0; sent < 100<<20; sent += len(request) {
			if _, err := c.Write(request); err != nil {
				break
			}
		}
		c.wantClosed(ErrFlood)
		r.slow(0)
	}, plainOnly: "its reader reads nothing while it waits"},
	{name: "slow peers hold bytes and have to go for them", run: func(r *limitRig) {
		r.start(nil, func(o *Options) {
			limited(10)(o)
			o.Budget = NewBudget(2 << 20)
		})
		c, other := r.dial(), r.dial()
		c.conn.bucket.full.Store(int64(10 * time.Hour))
		go c.Write(frameOf(make([]byte, 500<<10)))
		r.slow(1)
		eventually(r, "all is read", func() bool { return r.s.Stats().BytesIn >= 500<<10 })
		r.clock.advance(time.Second)
		go other.Write(frameOf(make([]byte, 300<<10))) // together more than three quarters of 1 MiB
		eventually(r, "one has to go", func() bool {
			r.clock.advance(time.Second)
			return r.s.Stats().ClosedOverloaded > 0
		})
		c.wantClosed(ErrOverloaded)
		other.conn.bucket.full.Store(0)
		eventually(r, "the other is served", func() bool { return r.s.Stats().Frames > 0 })
		r.slow(0)
	}},
}
