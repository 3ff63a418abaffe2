//go:build unix

package namesrv_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// BenchmarkMissLoop lets 50 clients ask for a topic that is not there and for TBW102, in
// turn, as fast as they are answered, while another one reads a route every
// millisecond. It tells how often they ask, what CPU that costs the server, and what
// 99 of 100 reads took at most, with each missDamping and without the loop.
func BenchmarkMissLoop(b *testing.B) {
	c := startChild(b, "loop", 0)
	routeExchange(b, c)
	for _, mode := range []string{"quiet", "off", "monitor", "enforce"} {
		b.Run(mode, func(b *testing.B) {
			var asks, cpu, p99 []float64
			for b.Loop() {
				ctx, stop := context.WithCancel(context.Background())
				var wg sync.WaitGroup
				var asked atomic.Int64
				if mode != "quiet" {
					r := nstest.Request(codec.ReqUpdateNamesrvConfig)
					r.Body = []byte("missDamping=" + mode)
					client := nstest.Dial(b, c.addr)
					if got := client.Do(r); codec.ResponseCode(got.Code) != codec.RespSuccess {
						b.Fatalf("%s", got.Remark)
					}
					client.Close()
					wg.Go(func() { missLoops(ctx, b, c, &asked) })
				}
				time.Sleep(500 * time.Millisecond)
				const count = 2 * time.Second
				before, cpuBefore := asked.Load(), c.cpu(b)
				p99 = append(p99, percentile(c.probe(b, nstest.Route("T"), count), 99))
				asks = append(asks, float64(asked.Load()-before)/count.Seconds())
				cpu = append(cpu, 100*(c.cpu(b)-cpuBefore).Seconds()/count.Seconds())
				stop()
				wg.Wait()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(asks), "asks/s")
			b.ReportMetric(median(cpu), "%CPU")
			b.ReportMetric(median(p99), "others-p99-µs")
		})
	}
}

// missLoops are the clients of BenchmarkMissLoop.
func missLoops(ctx context.Context, b *testing.B, c *child, asked *atomic.Int64) {
	var wg sync.WaitGroup
	for i := range 50 {
		client := nstest.Dial(b, c.addr)
		wg.Go(func() {
			defer client.Close()
			for ctx.Err() == nil {
				client.Do(nstest.Route(fmt.Sprint("missing-", i)))
				client.Do(nstest.Route("TBW102"))
				asked.Add(2)
			}
		})
	}
	wg.Wait()
}

// probe sends a request every millisecond, if the last was answered, and returns how long
// each took, in µs.
func (c *child) probe(b *testing.B, r *codec.Command, d time.Duration) (took []float64) {
	b.Helper()
	client := nstest.Dial(b, c.addr)
	defer client.Close()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
		began := time.Now()
		client.Do(r)
		took = append(took, float64(time.Since(began).Microseconds()))
	}
	return took
}

func percentile(v []float64, p int) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[min(len(v)*p/100, len(v)-1)]
}

// BenchmarkStorm asks slow questions of operators at 1 to 10 times the rate at which the
// workers can answer. It tells how many are answered with SUCCESS a second, as a share
// of what could be, what CPU time a request that was refused has cost the server at most
// (all of its time beyond that for those that were served), and how long heartbeats took
// that were sent meanwhile. Twenty brokers register every second; none may expire.
func BenchmarkStorm(b *testing.B) {
	c := startChild(b, "loop", 0)
	filler := nstest.Dial(b, c.addr)
	ctx, stop := context.WithCancel(context.Background())
	var brokers sync.WaitGroup
	for i := range 20 {
		client := nstest.Dial(b, c.addr)
		broker := nstest.Broker{
			Cluster: "C", Name: fmt.Sprint("b-", i), Addr: fmt.Sprintf("10.9.1.%d:10911", i), Topics: []string{"T", "U"},
			Fields: []string{"heartbeatTimeoutMillis", "3000"},
		}
		wantCode(b, client.Do(broker.Register()), codec.RespSuccess, "")
		brokers.Go(func() {
			defer client.Close()
			for ctx.Err() == nil {
				time.Sleep(time.Second)
				client.Do(broker.Register())
			}
		})
	}
	defer brokers.Wait()
	defer stop()
	probe := nstest.Request(codec.ReqBrokerHeartbeat, "brokerAddr", "10.9.1.1:10911", "clusterName", "C", "brokerName", "b-1")
	quiet := percentile(c.probe(b, probe, 2*time.Second), 99)
	var peak load
	for range 3 {
		if l := c.questions(b, 0, func() { time.Sleep(2 * time.Second) }); l.good > peak.good {
			peak = l
		}
	}
	for _, times := range []int{1, 2, 5, 10} {
		b.Run(fmt.Sprintf("%dx", times), func(b *testing.B) {
			var share, p99, refusal []float64
			for b.Loop() {
				var beats []float64
				l := c.questions(b, peak.good*float64(times), func() { beats = c.probe(b, probe, 4*time.Second) })
				share = append(share, 100*l.good/peak.good)
				p99 = append(p99, percentile(beats, 99)/quiet)
				if l.refused > 0 {
					refusal = append(refusal, max(0, 1e6*(l.cpu-peak.cpu*l.good/peak.good)/l.refused))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(share), "%-of-peak")
			b.ReportMetric(median(p99), "904-p99-x-quiet")
			if len(refusal) > 0 {
				b.ReportMetric(median(refusal), "µs-CPU/refused")
			}
		})
	}
	for i := range 20 {
		group := nstest.Request(codec.ReqGetBrokerMemberGroup, "clusterName", "C", "brokerName", fmt.Sprint("b-", i))
		if got := filler.Do(group); !bytes.Contains(got.Body, fmt.Append(nil, "10.9.1.", i, ":10911")) {
			b.Errorf("broker %d has expired: %s", i, got.Body)
		}
	}
	b.Logf("peak %.0f/s for %.0f%% of a CPU, 904 p99 %.0f µs when quiet", peak.good, 100*peak.cpu, quiet)
}

// A load is what a server did in a second.
type load struct {
	good, refused float64 // answers with SUCCESS, and others
	cpu           float64 // seconds of all processors
}

// questions asks slow questions over 32 connections, so many times a second, or if
// rate is 0 sixteen times at once and then as fast as it is answered, and returns what was done while beside ran.
func (c *child) questions(b *testing.B, rate float64, beside func()) load {
	b.Helper()
	const connections, depth, tick = 32, 16, 10 * time.Millisecond
	frame := codec.AppendRequest(nil, codec.SerializeJSON, nstest.Request(slowQuestion))
	var good, refused atomic.Int64
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	for range connections {
		conn := c.dial(b)
		answered := make(chan struct{}, depth)
		wg.Go(func() {
			r := bufio.NewReader(conn)
			var size [4]byte
			for {
				if _, err := io.ReadFull(r, size[:]); err != nil {
					return
				}
				reply := make([]byte, binary.BigEndian.Uint32(size[:]))
				if _, err := io.ReadFull(r, reply); err != nil {
					return
				}
				if bytes.Contains(reply, []byte(`"code":0,`)) {
					good.Add(1)
				} else {
					refused.Add(1)
				}
				select {
				case answered <- struct{}{}:
				default:
				}
			}
		})
		wg.Go(func() {
			defer conn.Close()
			began, sent := time.Now(), 0
			for ctx.Err() == nil {
				due := sent + 1
				switch {
				case sent == 0 && rate == 0:
					due = depth
				case rate > 0:
					time.Sleep(tick)
					due = int(rate / connections * time.Since(began).Seconds())
				}
				if due == sent {
					continue
				}
				if _, err := conn.Write(bytes.Repeat(frame, due-sent)); err != nil {
					return
				}
				sent = due
				if rate == 0 {
					select {
					case <-answered:
					case <-ctx.Done():
					}
				}
			}
		})
	}
	time.Sleep(2 * time.Second)
	goodBefore, refusedBefore, cpuBefore, began := good.Load(), refused.Load(), c.cpu(b), time.Now()
	beside()
	took := time.Since(began).Seconds()
	l := load{float64(good.Load()-goodBefore) / took, float64(refused.Load()-refusedBefore) / took, (c.cpu(b) - cpuBefore).Seconds() / took}
	stop()
	wg.Wait()
	return l
}
