package namesrv_test

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// BenchmarkSocketRegister measures what a registration of 10,000 topics costs the
// server, a process of its own, from the first byte of the frame to the last of the
// reply: the least of all rounds, which has no collection of garbage in it, and the
// median, which may have a part of one.
//
//	first      the table is empty, the connection new, and both count
//	changed    each topic has other numbers of queues
//	unchanged  the same bytes again
//	repeated   nothing has changed, and brokers since 5.0 say so: with another time
//	bytes      a frame of that size that the server refuses by its code: what
//	           of the others is the socket
//
// Run it with -benchtime=30x or so.
func BenchmarkSocketRegister(b *testing.B) {
	const topics = 10_000
	broker := nstest.Broker{Cluster: "C", Name: "bulk", Addr: "10.0.0.9:10911"}
	body := func(counter int64, queues int32) []byte {
		reg := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: counter}}
		for i := range topics {
			name := readTopic(i)
			reg.Topics = append(reg.Topics, codec.TopicConfig{Name: name, Key: name, ReadQueueNums: queues, WriteQueueNums: queues, Perm: 6})
		}
		return reg.AppendJSON(nil)
	}
	bodies := [][]byte{body(1, 8), body(2, 16)}
	millis := int64(1_795_903_396_624)
	repeated := func(int) *codec.Command {
		millis++
		key := []byte(`"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":`)
		at := bytes.Index(bodies[0], key) + len(key)
		strconv.AppendInt(bodies[0][at:at:at+13], millis, 10)
		return broker.RegisterBody(bodies[0])
	}
	register := func(i int) *codec.Command { return broker.RegisterBody(bodies[i%2]) }
	refused := func(i int) *codec.Command {
		r := register(i)
		r.Code = 9999
		return r
	}
	for _, bc := range []struct {
		name    string
		request func(i int) *codec.Command
		first   bool
	}{
		{"first", func(int) *codec.Command { return register(0) }, true},
		{"changed", register, false},
		{"unchanged", func(int) *codec.Command { return register(0) }, false},
		{"repeated", repeated, false},
		{"bytes", refused, false},
	} {
		b.Run(bc.name, func(b *testing.B) {
			c := startChild(b, "loop", 0)
			var conn *nstest.Client
			frames := make([][]byte, 2)
			for i := range frames {
				frames[i] = (&nstest.Client{}).Frame(bc.request(i))
			}
			send := func(i int) {
				if conn == nil {
					conn = nstest.Dial(b, c.addr)
				}
				if bc.name == "repeated" {
					frames[i%2] = (&nstest.Client{}).Frame(bc.request(i))
				}
				conn.Write(frames[i%2])
				if code := codec.ResponseCode(conn.Read().Code); code != codec.RespSuccess && bc.name != "bytes" {
					b.Fatalf("registration %d is answered with %v", i, code)
				}
			}
			forget := func() {
				if !bc.first {
					return
				}
				conn.Do(broker.Unregister())
				conn.Close()
				conn = nil
			}
			const warm = 4 // the child has its buffers then
			var cpu []time.Duration
			var mallocs, sizes []uint64
			for i := 0; i < warm || b.Loop(); i++ {
				before := c.allocated(b)
				spent := c.cpuAtRest(b)
				send(i)
				spent = c.cpuAtRest(b) - spent
				after := c.allocated(b)
				forget()
				if i >= warm {
					cpu = append(cpu, spent)
					mallocs, sizes = append(mallocs, after.mallocs-before.mallocs), append(sizes, after.bytes-before.bytes)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(slices.Min(cpu).Seconds()*1e3, "ms-CPU/op")
			slices.Sort(cpu)
			b.ReportMetric(cpu[len(cpu)/2].Seconds()*1e3, "median-ms-CPU/op")
			b.ReportMetric(float64(slices.Min(mallocs)), "server-allocs/op")
			b.ReportMetric(float64(slices.Min(sizes)), "server-B/op")
		})
	}
}

// cpuAtRest returns the processor time of the child once it has nothing to do.
func (c *child) cpuAtRest(b *testing.B) time.Duration {
	b.Helper()
	before := c.cpu(b)
	for range 1000 {
		time.Sleep(2 * time.Millisecond)
		now := c.cpu(b)
		if now-before < 20*time.Microsecond {
			return now
		}
		before = now
	}
	b.Fatal("the server does not come to rest")
	return 0
}

// An allocated is what a process has allocated since it began.
type allocated struct{ mallocs, bytes uint64 }

// countSignal is SIGUSR2, by number like freeSignal.
const countSignal = syscall.Signal(12)

// countOnSignal says what has been allocated so far whenever somebody sends
// countSignal.
func countOnSignal() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, countSignal)
	go func() {
		var m runtime.MemStats
		for range asked {
			runtime.ReadMemStats(&m)
			fmt.Println("allocated", m.Mallocs, m.TotalAlloc)
		}
	}()
}

// allocated returns what the child has allocated.
func (c *child) allocated(b *testing.B) (a allocated) {
	b.Helper()
	if err := c.cmd.Process.Signal(countSignal); err != nil {
		b.Fatal(err)
	}
	select {
	case line := <-c.lines:
		if _, err := fmt.Sscanf(line, "allocated %d %d", &a.mallocs, &a.bytes); err != nil {
			b.Fatalf("the server says %q: %v", line, err)
		}
	case <-time.After(time.Minute):
		b.Fatal("the server does not count")
	}
	return a
}
