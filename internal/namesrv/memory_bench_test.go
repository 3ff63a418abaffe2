package namesrv_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// The benchmarks of this file measure the memory of a server, a process of its
// own, while the peers are here. Run them with -benchtime=1x; where the limit of
// open files is lower than 10,100, raise it first (ulimit -n).

// BenchmarkIdleConnections is 10,000 connections that have asked for one route
// each and are silent since.
func BenchmarkIdleConnections(b *testing.B) {
	b.Setenv("GOGC", "50") // that of cmd/namesrv
	const warm, count = 200, 10_000
	for b.Loop() {
		c := startChild(b, "loop", 0)
		frame, size := routeExchange(b, c)
		open := make([]net.Conn, 0, warm+count)
		more := func(n int) {
			reply := make([]byte, size)
			for range n {
				conn := c.dial(b)
				open = append(open, conn)
				if _, err := conn.Write(frame); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, reply); err != nil {
					b.Fatal(err)
				}
			}
		}
		more(warm) // what the first connections cost and the later ones do not
		before, beforeFreed := c.rss(b), c.rssFreed(b)
		more(count)
		b.ReportMetric(float64(c.rss(b)-before)/count, "B-RSS/conn")
		b.ReportMetric(float64(c.rssFreed(b)-beforeFreed)/count, "B-live-RSS/conn")
		b.ReportMetric(0, "ns/op")
		for _, conn := range open {
			conn.Close()
		}
	}
}

// BenchmarkStalledFrames is 1,000 peers that announce 16 MiB each, send so many
// bytes of it and stall.
func BenchmarkStalledFrames(b *testing.B) {
	const peers = 1000
	for _, sent := range []int{100, 1 << 20} {
		for _, budget := range []int{0, 256 << 20} {
			b.Run(fmt.Sprintf("peers=%d/sent=%d/budget=%dMiB", peers, sent, budget>>20), func(b *testing.B) {
				head := append(binary.BigEndian.AppendUint32(nil, 16<<20-4), make([]byte, sent-4)...)
				for b.Loop() {
					b.Setenv("NAMESRV_BENCH_BUDGET", strconv.Itoa(budget))
					c := startChild(b, "loop", 0)
					frame, size := routeExchange(b, c)
					before := c.rss(b)
					var conns []net.Conn
					var wg sync.WaitGroup
					for range peers {
						conn := c.dial(b)
						defer conn.Close()
						conns = append(conns, conn)
						wg.Go(func() { conn.Write(head) })
					}
					wg.Wait()
					c.settle(b)
					honest := c.dial(b)
					honest.Write(frame)
					if _, err := io.ReadFull(honest, make([]byte, size)); err != nil {
						b.Errorf("a route request beside them: %v", err)
					}
					b.ReportMetric(float64(c.peak(b)-before)/(1<<20), "peak-MiB-RSS")
					b.ReportMetric(float64(c.rssFreed(b)-before)/(1<<20), "live-MiB-RSS")
					cutOff := 0
					for _, conn := range conns {
						conn.SetReadDeadline(time.Now().Add(time.Millisecond))
						if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
							cutOff++
						}
					}
					b.ReportMetric(float64(cutOff), "cut-off")
					b.ReportMetric(0, "ns/op")
				}
			})
		}
	}
}

// BenchmarkRegistrationsAtOnce is 1,000 brokers that send a registration of
// 1 MiB each, all but the last byte, and then, at the same time, that.
func BenchmarkRegistrationsAtOnce(b *testing.B) {
	const brokers = 1000
	for b.Loop() {
		b.Setenv("NAMESRV_BENCH_BUDGET", strconv.Itoa(3<<30))
		c := startChild(b, "loop", 0)
		before := c.rss(b)
		var refused, lost atomic.Int64
		registerAtOnce(b, c.addr, brokers, 1<<20, func(code codec.ResponseCode, err error) {
			switch {
			case err != nil:
				lost.Add(1)
			case code != codec.RespSuccess:
				refused.Add(1)
			}
		})
		b.ReportMetric(float64(c.peak(b)-before)/(1<<20), "peak-MiB-RSS")
		b.ReportMetric(float64(refused.Load()), "refused")
		b.ReportMetric(float64(lost.Load()), "cut-off")
	}
}

// registerAtOnce lets n brokers register with bodies of so many bytes. When
// all of all is sent but the last byte of each, that follows. What became of
// each is told to done.
func registerAtOnce(t testing.TB, addr string, n, size int, done func(codec.ResponseCode, error)) {
	t.Helper()
	var sent, ended sync.WaitGroup
	sent.Add(n)
	for i := range n {
		broker := nstest.Broker{Cluster: "C", Name: fmt.Sprint("b", i), Addr: fmt.Sprintf("10.1.%d.%d:10911", i/250, i%250), Counter: 1}
		broker.Topics = []string{"T", "U", fmt.Sprint("of", i)}
		client := nstest.Dial(t, addr)
		frame := client.Frame(broker.RegisterPadded(size))
		ended.Go(func() {
			err := client.TryWrite(frame[:len(frame)-1])
			sent.Done()
			sent.Wait()
			var reply codec.Command
			if err == nil {
				err = client.TryWrite(frame[len(frame)-1:])
			}
			if err == nil {
				var b []byte
				if b, err = client.TryReadFrame(2 * time.Minute); err == nil {
					err = reply.Decode(b)
				}
			}
			done(codec.ResponseCode(reply.Code), err)
		})
	}
	ended.Wait()
}

func (c *child) dial(b *testing.B) net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", c.addr)
	if errors.Is(err, syscall.EMFILE) {
		b.Skip("the limit of open files is too low: ", err)
	}
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

// settle waits until the server has read all that it was sent: until it has
// used no processor time worth mentioning for a while.
func (c *child) settle(b *testing.B) {
	for before := c.cpu(b); ; {
		time.Sleep(500 * time.Millisecond)
		now := c.cpu(b)
		if now-before < 10*time.Millisecond {
			return
		}
		before = now
	}
}

// rss returns how many bytes of the server are in memory.
func (c *child) rss(b *testing.B) int64 { return c.status(b, "VmRSS:") }

// peak returns the most it ever was.
func (c *child) peak(b testing.TB) int64 { return c.status(b, "VmHWM:") }

// rssFreed is rss after the server has collected its garbage.
func (c *child) rssFreed(b *testing.B) int64 {
	b.Helper()
	if err := c.cmd.Process.Signal(freeSignal); err != nil {
		b.Fatal(err)
	}
	select {
	case <-c.lines:
	case <-time.After(time.Minute):
		b.Fatal("the server does not collect its garbage")
	}
	return c.rss(b)
}

func (c *child) status(b testing.TB, name string) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		b.Skipf("no memory figures of other processes on this system: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib << 10
		}
	}
	b.Fatalf("no %s of the server", name)
	return 0
}
