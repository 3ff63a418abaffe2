//go:build unix

package namesrv_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// snapshotTables are what is written and read: brokers of 10,000 topics each, and so
// many names in all.
var snapshotTables = []struct {
	name           string
	brokers, names int
}{
	{"brokers=32/names=40000", 32, 40_000},
	{"brokers=300/names=10000", 300, 10_000},
	{"brokers=60/names=600000", 60, 600_000},
	{"brokers=300/names=3000000", 300, 3_000_000},
}

// fillToSave registers brokers of 10,000 topics each.
func fillToSave(s *namesrv.Server, brokers, names int) error {
	const perBroker = 10_000
	for i := range brokers {
		body := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: 1}}
		for j := range perBroker {
			name := readTopic((i*perBroker + j) % names)
			body.Topics = append(body.Topics, codec.TopicConfig{Name: name, Key: name, ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
		}
		if _, err := s.Table().RegisterBroker(1, &route.Registration{
			RegistrationHeader: route.RegistrationHeader{
				Cluster: fmt.Sprint("c", i/100), BrokerName: fmt.Sprint("broker-", i), BrokerAddr: fmt.Sprintf("10.0.%d.%d:10911", i/256, i%256),
				TimeoutMillis: 1 << 40, OldVersion: true,
			},
			Body: body,
		}); err != nil {
			return err
		}
	}
	return nil
}

// selfCPU is the CPU time of this process.
func selfCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSnapshotFile writes the file of the routes as the server does that ends,
// and reads it as the next one does. It tells the size of the file; what each takes, of
// the clock and of all processors; what the heap grows by, at most, while it is
// written; and what stays in memory of what was read.
func BenchmarkSnapshotFile(b *testing.B) {
	for _, c := range snapshotTables {
		b.Run(c.name, func(b *testing.B) {
			if testing.Short() && c.names > 1_000_000 {
				b.Skip("takes 2 GB and a minute")
			}
			defer debug.SetGCPercent(debug.SetGCPercent(50)) // that of cmd/namesrv
			file := filepath.Join(b.TempDir(), "routes.snap")
			cfg := namesrv.DefaultConfig()
			cfg.RouteSnapshotPath, cfg.WarmStartIdentity, cfg.WarmStartLoadTime = file, "me", time.Hour
			cfg.MaxTopics, cfg.MaxRouteEntries = 10_000_000, 100_000_000
			newServer := func() *namesrv.Server {
				s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
				if err != nil {
					b.Fatal(err)
				}
				return s
			}
			s := newServer()
			if err := fillToSave(s, c.brokers, c.names); err != nil {
				b.Fatal(err)
			}
			heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
			peak := uint64(0)
			s.BetweenPieces(func() {
				metrics.Read(heap)
				peak = max(peak, heap[0].Value.Uint64())
			})
			b.Run("write", func(b *testing.B) {
				var cpu time.Duration
				grown, allocated := 0.0, uint64(0)
				for b.Loop() {
					b.StopTimer()
					runtime.GC()
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					peak = 0
					began := selfCPU(b)
					b.StartTimer()
					if err := s.WriteRoutes(); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					cpu += selfCPU(b) - began
					runtime.ReadMemStats(&after)
					grown = max(grown, float64(peak)-float64(before.HeapAlloc))
					allocated += after.TotalAlloc - before.TotalAlloc
					b.StartTimer()
				}
				info, err := os.Stat(file)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(cpu.Microseconds())/1e3/float64(b.N), "cpu-ms/op")
				b.ReportMetric(float64(info.Size()), "file-bytes")
				b.ReportMetric(grown/(1<<20), "grown-MB")
				b.ReportMetric(float64(allocated)/(1<<20)/float64(b.N), "allocated-MB")
			})
			s.ReleaseRoutes()
			s.ReleaseFiles()
			s = nil
			b.Run("load", func(b *testing.B) {
				var cpu time.Duration
				kept := 0.0
				for b.Loop() {
					b.StopTimer()
					next := newServer()
					debug.FreeOSMemory()
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					began := selfCPU(b)
					b.StartTimer()
					if got := next.LoadRoutes(); got.Result != "restored" || got.Topics != c.names {
						b.Fatalf("%+v", got)
					}
					b.StopTimer()
					cpu += selfCPU(b) - began
					runtime.GC()
					runtime.ReadMemStats(&after)
					kept = float64(after.HeapAlloc) - float64(before.HeapAlloc)
					next.ReleaseRoutes()
					next.ReleaseFiles()
					b.StartTimer()
				}
				each := float64(cpu.Nanoseconds()) / float64(b.N)
				b.ReportMetric(each/1e6, "cpu-ms/op")
				b.ReportMetric(each/float64(c.names), "cpu-ns/name")
				b.ReportMetric(each/float64(c.brokers)/10_000, "cpu-ns/row")
				b.ReportMetric(kept/(1<<20), "kept-MB")
			})
		})
	}
}

// What the server of BenchmarkSnapshotBesideReads is told to do.
const (
	neverWrite   codec.RequestCode = 701 + iota // snapshots
	writeSpaced                                 // one after the other, as far apart as the server writes them at most
	writeAlways                                 // one after the other
	workAlways                                  // none, but work that is nothing, in pieces and pauses as those of a write
	tellOfWrites                                // how many, how many nanoseconds they took, and whether there is one now
)

func init() { otherChildren["snapshot"] = runSnapshotChild }

// askedTopics is how many topics are asked for, each of one broker: it is not the size of
// an answer that is measured.
const askedTopics = 100

// runSnapshotChild is the server of BenchmarkSnapshotBesideReads.
func runSnapshotChild() {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	debug.SetGCPercent(50) // that of cmd/namesrv
	var brokers, names int
	_, err := fmt.Sscan(os.Getenv("NAMESRV_BENCH_TABLE"), &brokers, &names)
	fail(err)
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.MaxTopics, cfg.MaxRouteEntries = 10_000_000, 100_000_000
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	fail(err)
	fail(s.Listen())
	fail(fillToSave(s, brokers, names))
	small := nstest.Broker{Cluster: "c0", Name: "small", Addr: "10.1.0.0:10911", Counter: 1}
	for i := range askedTopics {
		small.Topics = append(small.Topics, string(readTopic(1e6*9+i)))
	}
	fail(registerFor(s, small, 1<<40)) // as the others: nobody speaks for it while it is measured
	write := s.RouteWriter(os.Getenv("NAMESRV_BENCH_FILE"))
	var mode, writes, took, busy atomic.Int64
	set := func(m codec.RequestCode) {
		s.InDefaultPool(m, func() codec.Reply { mode.Store(int64(m)); return codec.Reply{} })
	}
	set(neverWrite)
	set(writeSpaced)
	set(writeAlways)
	set(workAlways)
	s.InDefaultPool(tellOfWrites, func() codec.Reply {
		return codec.Reply{Body: fmt.Append(nil, busy.Load(), " ", writes.Load(), " ", took.Load())}
	})
	go func() {
		for {
			busy.Store(1)
			now := codec.RequestCode(mode.Load())
			if now != writeSpaced && now != writeAlways {
				busy.Store(0)
				if now == workAlways {
					for began := time.Now(); time.Since(began) < namesrv.WritePiece; {
					}
					time.Sleep(namesrv.WritePause)
					continue
				}
				time.Sleep(10 * time.Millisecond)
				continue
			}
			began := time.Now()
			quiet, err := write(context.Background())
			fail(err)
			d := time.Since(began)
			writes.Add(1)
			took.Add(int64(d))
			busy.Store(0)
			for end := began.Add(quiet); now == writeSpaced && mode.Load() == int64(writeSpaced) && time.Now().Before(end); {
				time.Sleep(min(time.Until(end), 10*time.Millisecond))
			}
		}
	}()
	fmt.Println("address", s.Addr())
	fail(s.Run(context.Background()))
	os.Exit(1)
}

// BenchmarkSnapshotBesideReads asks for routes at a fixed rate, whether those before are
// answered or not, while the server writes no snapshots, as many as it ever may, one after
// the other, and none but is busy as if. Each iteration has each of them twice, forwards and
// backwards. The process that asks shares the processors with the server. It tells
// how long reads took, in µs, of all rounds together, and as median of the rounds, of which a
// few that something else has disturbed do not count; and the CPU time of the server as a
// share of one processor.
// A round with writes begins with one, so that a short one has more than its share.
// NAMESRV_BENCH_RATE and NAMESRV_BENCH_SECONDS change the rate and the rounds. On Linux,
// "chrt -r 1" before the test binary, as root, keeps other processes out of the figures.
func BenchmarkSnapshotBesideReads(b *testing.B) {
	rate, seconds := 2000, 1
	for name, at := range map[string]*int{"NAMESRV_BENCH_RATE": &rate, "NAMESRV_BENCH_SECONDS": &seconds} {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			*at = n
		}
	}
	modes := []struct {
		name string
		code codec.RequestCode
	}{{"none", neverWrite}, {"spaced", writeSpaced}, {"always", writeAlways}, {"work", workAlways}}
	for _, c := range snapshotTables[1:] {
		b.Run(c.name, func(b *testing.B) {
			if testing.Short() && c.names > 1_000_000 {
				b.Skip("takes 2 GB and a minute")
			}
			b.Setenv("NAMESRV_BENCH_TABLE", fmt.Sprint(c.brokers, " ", c.names))
			b.Setenv("NAMESRV_BENCH_FILE", filepath.Join(b.TempDir(), "routes.snap"))
			child := startChild(b, "snapshot", 0)
			operator := nstest.Dial(b, child.addr)
			child.openLoop(b, rate, time.Second) // bodies of routes are made
			var took [4][]float64                // of all reads
			var rounds [4][2][]float64           // p50 and p99 of each round
			var cpu, writes, each [4]float64
			tell := func() (busy, n, ns float64) {
				_, err := fmt.Sscan(string(operator.Do(nstest.Request(tellOfWrites)).Body), &busy, &n, &ns)
				if err != nil {
					b.Fatal(err)
				}
				return busy, n, ns
			}
			for b.Loop() {
				for _, m := range []int{0, 1, 2, 3, 3, 2, 1, 0} {
					operator.Do(nstest.Request(modes[m].code))
					_, n, ns := tell()
					began := child.cpu(b)
					round := child.openLoop(b, rate, time.Duration(seconds)*time.Second)
					cpu[m] += (child.cpu(b) - began).Seconds() / float64(seconds)
					took[m] = append(took[m], round...)
					for i, p := range []float64{50, 99} {
						rounds[m][i] = append(rounds[m][i], quantile(round, p))
					}
					_, n2, ns2 := tell()
					writes[m] += n2 - n
					each[m] += ns2 - ns
					operator.Do(nstest.Request(neverWrite))
					for busy := 1.0; busy > 0; { // until the last one is over
						time.Sleep(10 * time.Millisecond)
						busy, _, _ = tell()
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			for m := range modes {
				p50, p99 := median(rounds[m][0]), median(rounds[m][1])
				b.Logf("%-6s  %7d reads, all: p50 %4.0f µs, p99 %6.0f µs, p99.9 %6.0f µs; median of rounds: p50 %4.0f µs (%.2fx), p99 %6.0f µs (%.2fx)  CPU %5.2f %%  %4.0f writes of %.0f ms", modes[m].name, len(took[m]),
					quantile(took[m], 50), quantile(took[m], 99), quantile(took[m], 99.9), p50, p50/median(rounds[0][0]), p99, p99/median(rounds[0][1]),
					100*cpu[m]/float64(2*b.N), writes[m], each[m]/max(writes[m], 1)/1e6)
				b.ReportMetric(100*cpu[m]/float64(2*b.N), modes[m].name+"-%CPU")
				if m > 0 {
					b.ReportMetric(p99/median(rounds[0][1]), modes[m].name+"-p99-x-none")
				}
			}
		})
	}
}

// quantile returns what p of 100 are at most.
func quantile(v []float64, p float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[min(int(float64(len(v))*p/100), len(v)-1)]
}

// openLoop asks for routes, at a rate per second in all, over 8
// connections, and returns how long each answer took, in µs, from when it was sent.
func (c *child) openLoop(b *testing.B, rate int, d time.Duration) []float64 {
	b.Helper()
	const connections = 8
	var all [connections][]float64
	var wg sync.WaitGroup
	begin := time.Now()
	for n := range connections {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			b.Fatal(err)
		}
		count := int(d.Seconds() * float64(rate) / connections)
		sent := make([]atomic.Int64, count) // when, in ns after begin
		random := rand.New(rand.NewPCG(uint64(n), 7))
		wg.Go(func() {
			var frame []byte
			for i := range count {
				due := begin.Add(time.Duration(float64(i*connections+n) / float64(rate) * float64(time.Second)))
				time.Sleep(time.Until(due))
				frame = codec.AppendRequest(frame[:0], codec.SerializeJSON, &codec.Command{
					Code: codec.ReqGetRouteInfoByTopic, Version: codec.Version, Opaque: int32(i),
					Ext: codec.ExtFields{{Name: []byte("topic"), Value: readTopic(1e6*9 + random.IntN(askedTopics))}},
				})
				sent[i].Store(int64(time.Since(begin)))
				if _, err := conn.Write(frame); err != nil {
					if !errors.Is(err, net.ErrClosed) { // who reads has told
						b.Error(err)
					}
					return
				}
			}
		})
		wg.Go(func() {
			defer conn.Close()
			replies := bufio.NewReaderSize(conn, 256<<10)
			for i := range count { // in order: they are answered by the loop
				head, err := replies.Peek(4)
				if err != nil {
					b.Error(err)
					return
				}
				all[n] = append(all[n], float64(int64(time.Since(begin))-sent[i].Load())/1e3)
				size := 4 + int(binary.BigEndian.Uint32(head))
				if size < 300 {
					b.Errorf("no route, %d bytes", size)
					return
				}
				if _, err := io.CopyN(io.Discard, replies, int64(size)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow() // what comes after would say the same
	}
	return slices.Concat(all[:]...)
}
