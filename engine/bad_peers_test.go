package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A badPeer does its worst over one connection until that is closed or ctx is
// done.
type badPeer func(ctx context.Context, nc net.Conn)

// pause waits for d or the end.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

var badPeers = map[string]badPeer{
	"sends garbage": func(ctx context.Context, nc net.Conn) {
		b := make([]byte, 32<<10)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		b[0] |= 0x80
		nc.Write(b)
		io.Copy(io.Discard, nc)
	},
	"announces and stalls": func(ctx context.Context, nc net.Conn) {
		nc.Write(append(binary.BigEndian.AppendUint32(nil, 16<<20-4), make([]byte, 300<<10)...))
		nc.Read(make([]byte, 1))
	},
	"dribbles": func(ctx context.Context, nc net.Conn) {
		nc.Write(binary.BigEndian.AppendUint32(nil, 1000))
		for pause(ctx, 10*time.Millisecond) {
			if _, err := nc.Write([]byte{0}); err != nil {
				return
			}
		}
	},
	"leaves in mid-frame": func(ctx context.Context, nc net.Conn) {
		nc.Write(append(binary.BigEndian.AppendUint32(nil, 1<<20), make([]byte, 10_000)...))
	},
	"asks and never reads": func(ctx context.Context, nc net.Conn) {
		nc.Write(bytes.Repeat(textFrame("big"), 10))
		<-ctx.Done()
	},
	"pipelines and never reads": func(ctx context.Context, nc net.Conn) {
		for request := bytes.Repeat(textFrame("big %0100d", 0), 100); ctx.Err() == nil; {
			if _, err := nc.Write(request); err != nil {
				return
			}
		}
	},
	"comes and goes": func(ctx context.Context, nc net.Conn) { nc.(*net.TCPConn).SetLinger(0) },
	"says nothing":   func(ctx context.Context, nc net.Conn) { <-ctx.Done() },
}

// All kinds of bad peers at once, and again as soon as they are closed. Those
// who behave do not notice, and nothing remains.
func TestBadPeers(t *testing.T) {
	s := serve(t, &testHandler{serve: func(_ Conn, frame, out []byte) []byte {
		if strings.HasPrefix(string(frame[4:]), "big") {
			return append(out, frameOf(make([]byte, 500_000))...)
		}
		return append(out, frame...)
	}}, func(o *Options) {
		o.SendBuffer = 16 << 10
		o.Budget = NewBudget(256 << 20)
		o.FirstFrameTimeout, o.FrameTimeout, o.ChokedTime = time.Second, time.Second, 200*time.Millisecond
		o.MaxConnections = 30
	})
	var honest []*client
	for i := range 5 {
		c := s.dial()
		c.ping(fmt.Sprint(i))
		honest = append(honest, c)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var bad sync.WaitGroup
	for _, act := range badPeers {
		for range 4 {
			bad.Go(func() {
				for pause(ctx, 2*time.Millisecond) {
					nc, err := net.Dial("tcp", s.Addr().String())
					if err != nil {
						continue // refused before the dialer could look
					}
					leave := context.AfterFunc(ctx, func() { nc.Close() })
					act(ctx, nc)
					leave()
					nc.Close()
				}
			})
		}
	}
	var highest int64
	seen := func() bool {
		st := s.Stats()
		return st.ClosedMalformed > 9 && st.ClosedFrameTimeout > 2 && st.ClosedSlowReader > 2 &&
			st.ClosedByPeer > 9 && st.Refused > 9
	}
	for i, end := 0, time.Now().Add(patience); i < 10 || !seen(); i++ {
		for _, c := range honest {
			c.ping(fmt.Sprintf("round %d", i))
		}
		highest = max(highest, s.Budget().Held())
		if time.Now().After(end) {
			t.Fatalf("not all kinds of ends seen: %+v", s.Stats())
		}
	}
	if highest > 128<<20 {
		t.Errorf("%d bytes held, want at most half of the budget", highest)
	}
	stop()
	bad.Wait()
	for _, c := range honest {
		c.ping("still here")
	}
	eventually(t, "all others gone, nothing held", func() bool {
		st := s.Stats()
		return st.Open == len(honest) && st.HeldBytes == 0 && st.Choked == 0
	})
	if n := s.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
}
