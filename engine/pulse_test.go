package engine

import (
	"testing"
	"time"
)

// TestPulse: an event loop that does not come back falls silent, though all others
// run, and is heard again when it does. An engine that has ended is not silent.
func TestPulse(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, &testHandler{serve: func(_ Conn, frame, out []byte) []byte {
		if string(frame[4:]) == "hang" {
			<-release
		}
		return append(out, frame...)
	}}, nil)
	c := s.dial()
	c.ping("x")
	if got := s.Pulse(); got.Open != 1 {
		t.Errorf("pulse %+v with one connection", got)
	}
	c.send(textFrame("hang"))
	const long = 200 * time.Millisecond // 20 ticks
	eventually(t, "the loop is silent", func() bool { return s.Pulse().Silent > long })
	close(release)
	c.want("hang")
	eventually(t, "the loop is heard", func() bool { return s.Pulse().Silent < long })
	if n := testing.AllocsPerRun(10, func() { s.Pulse() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	s.stop()
	if got := s.Pulse(); got != (Pulse{}) {
		t.Errorf("pulse %+v after the end", got)
	}
}

// TestOtherFiles: what the program needs for others is not used by connections.
func TestOtherFiles(t *testing.T) {
	e, err := New(&testHandler{}, Options{Addrs: []string{"127.0.0.1:0"}, Split: splitInt32, OtherFiles: 100})
	if err != nil {
		t.Fatal(err)
	}
	if got := connectionLimit(0, 1024, e.fdReserve()); got != 1024-fdReserve-100 {
		t.Errorf("the limit is %d", got)
	}
	if _, err := New(&testHandler{}, Options{Split: splitInt32, OtherFiles: -1}); err == nil {
		t.Error("a negative number is taken")
	}
}
