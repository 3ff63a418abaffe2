package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unread returns how many bytes of c's peer wait in the kernel.
func unread(t *testing.T, c Conn) int {
	t.Helper()
	n, err := unix.IoctlGetInt(c.(*conn).gc.Fd(), unix.TIOCINQ)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A race is one connection that floods and another that asks once. Both have
// all they want to say in the kernel of a server with one loop when it begins.
type race struct {
	flooder *client
	before  int // frames of the flooder served between the other's coming and its answer
}

// runRace lets the flooder send n times request, which the server answers with
// answer, and the other one frame at the beginning of its first turn.
func runRace(t *testing.T, n int, request []byte, answer func(i int, out []byte) []byte) *race {
	t.Helper()
	var (
		r        race
		served   int // loop only
		entered  = make(chan struct{})
		resume   = make(chan struct{})
		answered = make(chan int, 1)
		conns    = make(chan Conn, 2)
	)
	s := serve(t, &testHandler{
		opened: func(c Conn) { conns <- c },
		serve: func(c Conn, frame, out []byte) []byte {
			if string(frame[4:]) == "other" {
				answered <- served
				return append(out, frame...)
			}
			if served++; served == 1 {
				close(entered)
				<-resume
			}
			return answer(served-1, out)
		},
	}, func(o *Options) {
		o.Loops, o.RecvBuffer = 1, 1<<20
		o.HighWater, o.LowWater = 1<<30, 1 // it is not about those who do not read
	})
	r.flooder = s.dial()
	flooderConn := <-conns
	other := s.dial()
	otherConn := <-conns
	all := bytes.Repeat(request, n)
	go r.flooder.Write(all)
	<-entered
	eventually(t, "the flooder's input waits", func() bool {
		return unread(t, flooderConn) >= min(len(all)-readBuffer, 150<<10)
	})
	other.send(textFrame("other"))
	eventually(t, "the other's request waits", func() bool { return unread(t, otherConn) == 9 })
	close(resume)
	other.want("other")
	r.before = <-answered - 1
	return &r
}

// A turn is one read: the next to be served is somebody else.
func TestFloodOfSmallRequests(t *testing.T) {
	request := textFrame("%0100d", 0)
	r := runRace(t, 5000, request, func(_ int, out []byte) []byte { return out })
	// The rest of one turn and, if it is named first, one more.
	if most := 2 * (16<<10/len(request) + 2); r.before > most {
		t.Errorf("%d requests of the flooder came first, want at most %d", r.before, most)
	}
}

// A turn of big replies is shorter, and nothing of the rest is lost or comes
// in another order.
func TestFloodOfBigReplies(t *testing.T) {
	const n = 400
	pad := strings.Repeat("p", 100_000)
	r := runRace(t, n, textFrame("%0100d", 0), func(i int, out []byte) []byte {
		return append(out, textFrame("%d %s", i, pad)...)
	})
	if r.before > 12 {
		t.Errorf("%d requests of the flooder came first, want at most 12: four turns of 256 KiB", r.before)
	}
	for i := range n {
		got, err := readFrame(r.flooder)
		if want := fmt.Sprintf("%d p", i); err != nil || !strings.HasPrefix(string(got), want) {
			t.Fatalf("reply %d is %q, %v", i, clip(string(got)), err)
		}
	}
}

// So is a turn of slow requests.
func TestFloodOfSlowRequests(t *testing.T) {
	const n = 1000
	r := runRace(t, n, textFrame("%0100d", 0), func(i int, out []byte) []byte {
		if i < 300 {
			time.Sleep(300 * time.Microsecond)
		}
		return append(out, textFrame("%d", i)...)
	})
	if r.before > 3*2*timeCheck {
		t.Errorf("%d requests of the flooder came first, want at most %d: three turns", r.before, 3*2*timeCheck)
	}
	for i := range n {
		r.flooder.want(fmt.Sprint(i))
	}
}

// The share of each of several flooders is the same: a turn each.
func TestFloodersTakeTurns(t *testing.T) {
	const flooders, n = 4, 60
	var order []byte
	pad := strings.Repeat("p", 300_000) // one reply is a turn
	ready := make(chan struct{})
	s := serve(t, &testHandler{serve: func(_ Conn, frame, out []byte) []byte {
		if frame[4] == '-' {
			<-ready
			return out
		}
		order = append(order, frame[4])
		return append(out, textFrame("%s", pad)...)
	}}, func(o *Options) {
		o.Loops, o.HighWater, o.LowWater = 1, 1<<30, 1
	})
	gate := s.dial()
	gate.send(textFrame("-"))
	eventually(t, "the loop waits", func() bool { return s.Stats().BytesIn == 5 })
	var peers []*client
	for i := range flooders {
		// Accepting needs the loop: they are served one after the other from
		// the moment it goes on, which is why the first turns do not count.
		c := s.dial()
		c.send(bytes.Repeat(textFrame("%c", 'a'+i), n))
		peers = append(peers, c)
	}
	close(ready)
	for _, c := range peers {
		for range n {
			if _, err := readFrame(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.stop()
	// From when all four are there until the first has finished.
	begin, end := 0, len(order)
	for i := range flooders {
		begin = max(begin, bytes.IndexByte(order, byte('a'+i))+1)
		end = min(end, bytes.LastIndexByte(order, byte('a'+i))+1)
	}
	for i := begin; i+2*flooders <= end; i++ {
		for j := range flooders {
			if bytes.IndexByte(order[i:i+2*flooders], byte('a'+j)) < 0 {
				t.Fatalf("flooder %c has no turn among eight: %s", 'a'+j, order[i:i+2*flooders])
			}
		}
	}
}

// Who goes on sending to a connection that is behind is cut off before that
// costs much.
func TestBehindAndSendingOn(t *testing.T) {
	h := &testHandler{serve: func(_ Conn, _, out []byte) []byte {
		time.Sleep(300 * time.Microsecond)
		return out
	}}
	s := serve(t, h, func(o *Options) { o.Loops, o.ChokedInput = 1, 100<<10 })
	c := s.dial()
	all := bytes.Repeat(textFrame("%0100d", 0), 100_000)
	go c.Write(all)
	eventually(t, "closed", func() bool { return s.Stats().ClosedFlood == 1 })
	h.wantCause(t, ErrFlood)
	in, frames := s.Stats().BytesIn, s.Stats().Frames
	if in > frames*104+200<<10 {
		t.Errorf("%d bytes read for %d requests served, want little more than ChokedInput beyond", in, frames)
	}
	s.dial().send(textFrame("others go on"))
	eventually(t, "served", func() bool { return s.Stats().Frames > frames })
}
