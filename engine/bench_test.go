package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Sizes of what the benchmarks exchange: about those of a route query.
const (
	benchRequest = 142
	benchReply   = 400
)

// fixedReply answers every frame with the same bytes, on the loop or, if x is
// not nil, on a worker.
type fixedReply struct {
	reply []byte
	x     *Executor
	task  Task
}

func newFixedReply(x *Executor) *fixedReply {
	h := &fixedReply{reply: frameOf(make([]byte, benchReply-4)), x: x}
	h.task = func(_ Conn, _ time.Duration, _, out []byte) []byte { return append(out, h.reply...) }
	return h
}

func (h *fixedReply) Opened(Conn)        {}
func (h *fixedReply) Closed(Conn, error) {}
func (h *fixedReply) Serve(c Conn, _ time.Duration, frame, out []byte) []byte {
	if h.x == nil {
		return append(out, h.reply...)
	}
	h.x.Submit(c, frame, h.task)
	return out
}

// BenchmarkRequests is a closed loop through real sockets; an operation is one
// request. Clients and server share the machine, so only ratios mean anything.
func BenchmarkRequests(b *testing.B) {
	for _, path := range []string{"loop", "executor"} {
		for _, depth := range []int{1, 16} {
			b.Run(fmt.Sprintf("path=%s/conns=64/depth=%d", path, depth), func(b *testing.B) {
				var x *Executor
				if path == "executor" {
					x = NewExecutor(ExecutorOptions{Workers: 8, Queue: 50_000})
					defer x.Close()
				}
				benchRequests(b, newFixedReply(x), 64, depth)
			})
		}
	}
}

func benchRequests(b *testing.B, h Handler, conns, depth int) {
	s := serve(b, h, func(o *Options) { o.Loops, o.tick = 0, 0 })
	request := bytes.Repeat(frameOf(make([]byte, benchRequest-4)), depth)
	peers := make([]*net.TCPConn, conns)
	for i := range peers {
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer nc.Close()
		peers[i] = nc.(*net.TCPConn)
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for _, nc := range peers {
		wg.Go(func() {
			reply := make([]byte, benchReply*depth)
			for left.Add(-int64(depth)) > -int64(depth) {
				if _, err := nc.Write(request); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(nc, reply); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	s.stop()
}

// BenchmarkSubmit is the price of a hop without sockets.
func BenchmarkSubmit(b *testing.B) {
	for _, conns := range []int{1, 64} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			x := NewExecutor(ExecutorOptions{Workers: 8, Queue: 1000})
			defer x.Close()
			cs := make([]*conn, conns)
			for i := range cs {
				cs[i] = deafConn()
			}
			frame := make([]byte, benchRequest)
			task := func(_ Conn, _ time.Duration, _, out []byte) []byte { return out }
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				for !x.Submit(cs[i%conns], frame, task) {
				}
				i++
			}
		})
	}
}

// BenchmarkAssembly is a frame that comes in pieces of 64 KiB.
func BenchmarkAssembly(b *testing.B) {
	for _, size := range []int{100 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("size=%dKiB", size>>10), func(b *testing.B) {
			s := serve(b, &lengths{}, func(o *Options) { o.Loops, o.tick = 1, 0 })
			nc, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer nc.Close()
			frame := frameOf(make([]byte, size-4))
			reply := make([]byte, 4)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				nc.Write(frame)
				io.ReadFull(nc, reply)
			}
			s.stop()
		})
	}
}

// lengths answers every frame with an empty one.
type lengths struct{ echo }

func (lengths) Serve(_ Conn, _ time.Duration, _, out []byte) []byte { return append(out, 0, 0, 0, 0) }

// BenchmarkAccept is one connection opened, used once and closed.
func BenchmarkAccept(b *testing.B) {
	s := serve(b, echo{}, func(o *Options) { o.Loops, o.tick = 0, 0 })
	ping := textFrame("%s", strings.Repeat("x", 100))
	reply := make([]byte, len(ping))
	var d net.Dialer
	for b.Loop() {
		nc, err := d.DialContext(context.Background(), "tcp", s.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		nc.Write(ping)
		io.ReadFull(nc, reply)
		nc.(*net.TCPConn).SetLinger(0)
		nc.Close()
	}
	s.stop()
}
