package bench

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// bulk sends the same bytes again and again, and wants no answer.
type bulk []byte

func (b bulk) next(dst []byte, _ int32) ([]byte, ask) { return append(dst, b...), ask{} }
func (bulk) reset()                                   {}

// TestLoopsWriteTheRest: what a peer does not take at once is sent when it does, all of it
// and in its order, and what is written behind it too.
func TestLoopsWriteTheRest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	piece := make([]byte, 1<<20)
	for i := range piece {
		piece[i] = byte(rng.Uint32())
	}
	const pieces = 32 // more than a socket holds
	for name, start := range loops() {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			d := newDriver(l.Addr().String(), 1)
			d.start = start
			d.ops = []operation{{name: opRegister, oneway: true}}
			d.phases = []*phase{{name: "warm-up"}}
			d.streams = []*stream{{name: "bulk", connections: 1, depth: pieces, source: func(int) source { return bulk(piece) }}}
			if err := d.open(t.Context(), 1); err != nil {
				d.close()
				t.Fatal(err)
			}
			defer d.close()
			peer, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			d.enter(0) // all is written, as far as there is room
			d.each(func(w *worker) {
				w.out = append(w.out[:0], "the end"...)
				w.flush(w.lanes[0].conns[0])
			})
			peer.SetReadDeadline(time.Now().Add(2 * time.Minute))
			got := make([]byte, len(piece))
			for i := range pieces {
				if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, piece) {
					t.Fatalf("piece %d is not what was sent (%v)", i, err)
				}
			}
			if n, err := io.ReadFull(peer, got[:7]); string(got[:n]) != "the end" {
				t.Errorf("behind it comes %q (%v)", got[:n], err)
			}
		})
	}
}

// TestLoopsTellOfTheEnd of a connection, once, and take another in its place.
func TestLoopsTellOfTheEnd(t *testing.T) {
	for name, start := range loops() {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			d := newDriver(l.Addr().String(), 1)
			d.start = start
			d.ops = []operation{{name: opRegister, oneway: true}}
			d.phases = []*phase{{name: "warm-up"}}
			d.streams = []*stream{{name: "bulk", connections: 1, depth: 1, source: func(int) source { return bulk("hello") }}}
			if err := d.open(t.Context(), 1); err != nil {
				d.close()
				t.Fatal(err)
			}
			defer d.close()
			d.enter(0)
			for i := range 3 {
				peer, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				peer.SetReadDeadline(time.Now().Add(2 * time.Minute))
				if _, err := io.ReadFull(peer, make([]byte, 5)); err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
				d.mu.Lock()
				ends := 0
				for _, n := range d.failures {
					ends += n
				}
				d.mu.Unlock()
				if ends != i {
					t.Errorf("%d connections have ended, %d were told of", i, ends)
				}
				peer.Close()
			}
		})
	}
}

// TestLoopsWakeByThemselves when a request is due: nobody answers here, and nothing else
// wakes them.
func TestLoopsWakeByThemselves(t *testing.T) {
	for name, start := range loops() {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			d := newDriver(l.Addr().String(), 1)
			d.start = start
			d.ops = []operation{{name: opRegister, oneway: true}}
			d.phases = []*phase{{name: "warm-up"}}
			d.streams = []*stream{{name: "bulk", connections: 1, rate: 50, source: func(int) source { return bulk("hello") }}}
			if err := d.open(t.Context(), 1); err != nil {
				d.close()
				t.Fatal(err)
			}
			defer d.close()
			peer, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			d.enter(0)
			peer.SetReadDeadline(time.Now().Add(time.Minute))
			if n, err := io.ReadFull(peer, make([]byte, 10*len("hello"))); err != nil {
				t.Errorf("%d bytes of ten requests came (%v)", n, err)
			}
		})
	}
}
