//go:build unix

package namesrv_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gonamesrv/internal/nstest"
)

// BenchmarkReadsBeside measures how many routes 64 connections read in a closed
// loop while others misbehave, as a share of what they read undisturbed in the
// same round. Those who disturb, and those who read, share the processors with
// the server, so what the former compute is missing too. Run it with
// -benchtime=7x or so, on an otherwise idle machine.
func BenchmarkReadsBeside(b *testing.B) {
	c := startChild(b, "loop", 0)
	frame, size := routeExchange(b, c)
	disturbers := []struct {
		name string
		run  func(ctx context.Context, c *child, frame []byte)
	}{
		{"undisturbed", func(context.Context, *child, []byte) {}},
		{"slow-readers", slowReaders},
		{"garbage", garbage},
		{"storm", storm},
	}
	reads := make([][]float64, len(disturbers))
	shares := make([][]float64, len(disturbers))
	for b.Loop() {
		for i, d := range disturbers {
			ctx, stop := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			wg.Go(func() { d.run(ctx, c, frame) })
			reads[i] = append(reads[i], c.reads(b, frame, size))
			stop()
			wg.Wait()
			shares[i] = append(shares[i], 100*reads[i][len(reads[i])-1]/reads[0][len(reads[0])-1])
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(reads[0]), "undisturbed-reads/s")
	for i, d := range disturbers[1:] {
		b.ReportMetric(median(shares[i+1]), d.name+"-%")
	}
}

// reads returns the routes read per second over 64 connections.
func (c *child) reads(b *testing.B, frame []byte, size int) float64 {
	b.Helper()
	const warm, count = time.Second, time.Second
	begin := time.Now().Add(warm)
	end := begin.Add(count)
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		conn := c.dial(b)
		wg.Go(func() {
			defer conn.Close()
			reply := make([]byte, size)
			for now := time.Now(); now.Before(end); now = time.Now() {
				if _, err := conn.Write(frame); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(conn, reply); err != nil {
					b.Error(err)
					return
				}
				if now.After(begin) {
					total.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return float64(total.Load()) / count.Seconds()
}

// slowReaders are 200 connections that have asked 2,000 times and do not read:
// far more than the system takes for them, as their receive buffers are small.
func slowReaders(ctx context.Context, c *child, frame []byte) {
	requests := bytes.Repeat(frame, 2000)
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		})
	}}
	besides(ctx, 200, func() {
		conn, err := dialer.DialContext(ctx, "tcp", c.addr)
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write(requests)
		<-ctx.Done()
	})
}

// garbage is 8 connections at a time that send 10 kB of no meaning each, 400 a
// second.
func garbage(ctx context.Context, c *child, _ []byte) {
	var noise [10_000]byte
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	noise[0] = 0x7f // a frame too long for anybody
	besides(ctx, 8, func() {
		next := time.After(20 * time.Millisecond)
		if conn, err := net.Dial("tcp", c.addr); err == nil {
			_, _ = conn.Write(noise[:])
			conn.Close()
		}
		<-next
	})
}

// storm is two brokers with 10,000 topics that register a new data version as
// fast as they are answered.
func storm(ctx context.Context, c *child, _ []byte) {
	var number atomic.Int64
	besides(ctx, 2, func() {
		broker := nstest.Broker{Cluster: "storm", Name: fmt.Sprint("storm-", number.Add(1)), Addr: "10.9.0.1:10911"}
		for i := range 10_000 {
			broker.Topics = append(broker.Topics, fmt.Sprint("storm-", i))
		}
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			return
		}
		defer conn.Close()
		client := nstest.NewClient(conn)
		var frames [][]byte // what the next versions say, made before
		for range 8 {
			broker.Counter++
			frames = append(frames, client.Frame(broker.Register()))
		}
		for i := 0; ctx.Err() == nil; i++ {
			if client.TryWrite(frames[i%len(frames)]) != nil {
				return
			}
			if _, err := client.TryReadFrame(10 * time.Second); err != nil {
				return
			}
		}
	})
}

// besides runs f again and again on so many goroutines until ctx is done.
func besides(ctx context.Context, n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				f()
			}
		})
	}
	wg.Wait()
}
