package namesrv_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// BenchmarkMissLoop lets 50 clients ask for a topic that is not there and for TBW102, in
// turn, as fast as they are answered (a closed loop), while another one reads a route
// every millisecond. It tells how often they ask, what CPU that costs the server, and
// what 99 of 100 reads took at most, with each missDamping beside the quiet before and
// after it. Server, clients and reader are processes of their own, and server and reader
// come before all others where that is allowed: so what is measured is the server, and
// not how the machine is shared. late-µs is how much later than it meant to 99 of 100
// times at most the reader asked: what of a figure may be the machine's.
func BenchmarkMissLoop(b *testing.B) {
	c := startAs(b, atOnce(os.Args[0]), "loop", 0)
	routeExchange(b, c)
	modes := []string{"off", "monitor", "enforce"}
	got := map[string]*struct{ asks, cpu, p99, ratio []float64 }{}
	var late, quiet []float64
	read := func() reading {
		r := probe(b, c, "route", time.Second)
		late = append(late, r.Late)
		return r
	}
	for b.Loop() {
		for i := range 2 * len(modes) { // there and back
			mode := modes[min(i, 2*len(modes)-1-i)]
			m := got[mode]
			if m == nil {
				m = &struct{ asks, cpu, p99, ratio []float64 }{}
				got[mode] = m
			}
			r := nstest.Request(codec.ReqUpdateNamesrvConfig)
			r.Body = []byte("missDamping=" + mode)
			client := nstest.Dial(b, c.addr)
			wantCode(b, client.Do(r), codec.RespSuccess, "")
			client.Close()
			before := read().P99
			loops := startPeer(b, c, false, "misses")
			loops.begun(b)
			cpu, began := c.cpu(b), time.Now()
			p99 := read().P99
			m.cpu = append(m.cpu, 100*(c.cpu(b)-cpu).Seconds()/time.Since(began).Seconds())
			m.asks = append(m.asks, loops.end(b).Rate)
			after := read().P99
			quiet = append(quiet, before, after)
			m.p99 = append(m.p99, p99)
			m.ratio = append(m.ratio, 2*p99/(before+after))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(quiet), "quiet-p99-µs")
	b.ReportMetric(median(late), "late-µs")
	for _, mode := range modes {
		m := got[mode]
		b.ReportMetric(median(m.asks), mode+"-asks/s")
		b.ReportMetric(median(m.cpu), mode+"-%CPU")
		b.ReportMetric(median(m.p99), mode+"-p99-µs")
		b.ReportMetric(median(m.ratio), mode+"-p99-x-quiet")
		b.Logf("%s: p99 %.0f µs, × quiet %.2f", mode, m.p99, m.ratio)
	}
}

// BenchmarkStorm asks slow questions of operators at 1 to 10 times the rate at which the
// workers can answer, whether they are answered or not (an open loop), of a server that
// refuses them by its targets and of one that has none, in turns. It tells how many are
// answered with SUCCESS a second, as a share of what could be (what a closed loop of 64
// gets, whose queue is too short for any target), how many come within half a second,
// how long half of them took at most, how long heartbeats took that were sent meanwhile,
// and what CPU time a request that was refused has cost the server at most. Twenty
// brokers register every second; none may expire. offered is how much of the load the
// asking process could send at all.
func BenchmarkStorm(b *testing.B) {
	type figures struct{ share, soon, took, p99, refusal, offered []float64 }
	targets := []string{"on", "off"}
	servers, brokers := map[string]*child{}, map[string]*peer{}
	quiet := map[string]float64{}
	peak, peakCPU := 0.0, 0.0 // of both
	for _, mode := range targets {
		b.Setenv("NAMESRV_BENCH_TARGETS", mode)
		servers[mode] = startAs(b, atOnce(os.Args[0]), "loop", 0)
		brokers[mode] = startPeer(b, servers[mode], true, "brokers")
		brokers[mode].begun(b)
	}
	for range 3 {
		for _, mode := range targets {
			c := servers[mode]
			quiet[mode] = max(quiet[mode], probe(b, c, "beat", 2*time.Second).P99)
			l := startPeer(b, c, true, "storm", "0")
			l.begun(b)
			cpu, began := c.cpu(b), time.Now()
			time.Sleep(2 * time.Second)
			used := (c.cpu(b) - cpu).Seconds() / time.Since(began).Seconds()
			if good := l.end(b).Rate; good > peak {
				peak, peakCPU = good, used
			}
		}
	}
	for _, times := range []int{1, 2, 5, 10} {
		b.Run(fmt.Sprintf("%dx", times), func(b *testing.B) {
			got := map[string]*figures{"on": {}, "off": {}}
			for b.Loop() {
				for _, mode := range []string{"on", "off", "off", "on"} {
					c, f := servers[mode], got[mode]
					l := startPeer(b, c, false, "storm", strconv.Itoa(int(peak*float64(times))))
					l.begun(b)
					cpu, began := c.cpu(b), time.Now()
					beats := probe(b, c, "beat", 4*time.Second)
					used := (c.cpu(b) - cpu).Seconds() / time.Since(began).Seconds()
					r := l.end(b)
					f.share = append(f.share, 100*r.Rate/peak)
					f.soon = append(f.soon, 100*r.Soon/peak)
					f.took = append(f.took, r.P50/1e3)
					f.p99 = append(f.p99, beats.P99/quiet[mode])
					f.offered = append(f.offered, r.Sent/peak)
					if r.Refused > 0 {
						f.refusal = append(f.refusal, max(0, 1e6*(used-peakCPU*r.Rate/peak)/r.Refused))
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			for _, mode := range targets {
				f := got[mode]
				b.ReportMetric(median(f.share), mode+"-%-of-peak")
				b.ReportMetric(median(f.soon), mode+"-%-soon")
				b.ReportMetric(median(f.took), mode+"-p50-ms")
				b.ReportMetric(median(f.p99), mode+"-904-p99-x-quiet")
				b.ReportMetric(median(f.offered), mode+"-x-offered")
				if len(f.refusal) > 0 {
					b.ReportMetric(median(f.refusal), mode+"-µs-CPU/refused")
				}
				b.Logf("%s: %% of peak %.1f, soon %.1f, p50 %.0f ms, 904 × quiet %.2f", mode, f.share, f.soon, f.took, f.p99)
			}
		})
	}
	for _, mode := range targets {
		b.Logf("%s: peak %.0f/s for %.0f%% of a CPU, 904 p99 %.0f µs when quiet", mode, peak, 100*peakCPU, quiet[mode])
		if gone := brokers[mode].end(b).Refused; gone > 0 {
			b.Errorf("targets %s: brokers had expired %v times", mode, gone)
		}
	}
}

// A reading is what a peer has seen: latencies in µs, and numbers a second.
type reading struct {
	P50, P99, Late            float64
	Rate, Soon, Refused, Sent float64
}

// A peer is a process of clients: they load this benchmark's server, and not its process.
type peer struct {
	in  io.Closer
	out *bufio.Scanner
}

// startPeer starts a peer of c. first: it comes before all others of the machine, if
// that is allowed.
func startPeer(b *testing.B, c *child, first bool, what ...string) *peer {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	if first {
		cmd = atOnce(os.Args[0])
	}
	cmd.Env = append(os.Environ(), "NAMESRV_BENCH_CHILD=peer", "NAMESRV_BENCH_ADDR="+c.addr, "NAMESRV_BENCH_PEER="+what[0])
	if len(what) > 1 {
		cmd.Env = append(cmd.Env, "NAMESRV_BENCH_ARG="+what[1])
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	return &peer{in: in, out: bufio.NewScanner(out)}
}

// begun waits until it has warmed up.
func (p *peer) begun(b *testing.B) {
	b.Helper()
	if !p.out.Scan() {
		b.Fatal("the clients end early")
	}
}

// end ends it and returns what it has seen since begun.
func (p *peer) end(b *testing.B) (r reading) {
	b.Helper()
	p.in.Close()
	if !p.out.Scan() {
		b.Fatal("the clients end early")
	}
	if err := json.Unmarshal(p.out.Bytes(), &r); err != nil {
		b.Fatal(err)
	}
	return r
}

// atOnce is a command that runs whenever it can, before all that is usual. Where that is
// not allowed it is a command as any.
func atOnce(name string) *exec.Cmd {
	if exec.Command("chrt", "-f", "1", "true").Run() == nil {
		return exec.Command("chrt", "-f", "1", name)
	}
	return exec.Command(name)
}

// probe sends a request every millisecond, if the last was answered: route or beat.
func probe(b *testing.B, c *child, what string, d time.Duration) reading {
	b.Helper()
	p := startPeer(b, c, true, what)
	p.begun(b)
	time.Sleep(d)
	return p.end(b)
}

func percentile(v []float64, p int) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Clone(v)
	slices.Sort(v)
	return v[min(len(v)*p/100, len(v)-1)]
}

// runPeer is the whole program of a peer: it says when it has begun, and what it has seen
// from then on when its input ends.
func runPeer() {
	addr, ended := os.Getenv("NAMESRV_BENCH_ADDR"), make(chan struct{})
	begin := func(after time.Duration) {
		time.Sleep(after)
		fmt.Println("begun")
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	var r reading
	switch what := os.Getenv("NAMESRV_BENCH_PEER"); what {
	case "route":
		r = readAlone(addr, nstest.Route("T"), begin, ended)
	case "beat":
		r = readAlone(addr, beatOf(1), begin, ended)
	case "misses":
		r = missLoops(addr, begin, ended)
	case "brokers":
		r = liveBrokers(addr, begin, ended)
	case "storm":
		rate, _ := strconv.ParseFloat(os.Getenv("NAMESRV_BENCH_ARG"), 64)
		r = askSlowly(addr, rate, begin, ended)
	}
	text, _ := json.Marshal(r)
	fmt.Println(string(text))
	os.Exit(0)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// An asker asks one question after the other, and ends its process when it cannot.
type asker struct {
	conn net.Conn
	in   *bufio.Reader
}

func newAsker(addr string) *asker {
	conn := mustDial(addr)
	return &asker{conn, bufio.NewReader(conn)}
}

// do asks and reports whether the answer is SUCCESS.
func (a *asker) do(r *codec.Command) bool {
	var size [4]byte
	_, err := a.conn.Write(codec.AppendRequest(nil, codec.SerializeJSON, r))
	if err == nil {
		_, err = io.ReadFull(a.in, size[:])
	}
	reply := make([]byte, binary.BigEndian.Uint32(size[:]))
	if err == nil {
		_, err = io.ReadFull(a.in, reply)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return bytes.Contains(reply, []byte(`"code":0,`))
}

func mustDial(addr string) net.Conn {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return conn
}

func readAlone(addr string, request *codec.Command, begin func(time.Duration), ended <-chan struct{}) reading {
	client := newAsker(addr)
	for range 100 {
		client.do(request)
	}
	begin(0)
	var took, late []float64
	for !isClosed(ended) {
		due := time.Now().Add(time.Millisecond)
		time.Sleep(time.Millisecond)
		began := time.Now()
		client.do(request)
		took = append(took, float64(time.Since(began).Nanoseconds())/1e3)
		late = append(late, float64(began.Sub(due).Nanoseconds())/1e3)
	}
	return reading{P50: percentile(took, 50), P99: percentile(took, 99), Late: percentile(late, 99)}
}

// missLoops are the clients of BenchmarkMissLoop.
func missLoops(addr string, begin func(time.Duration), ended <-chan struct{}) reading {
	var asked atomic.Int64
	for i := range 50 {
		client := newAsker(addr)
		go func() {
			for {
				client.do(nstest.Route(fmt.Sprint("missing-", i)))
				client.do(nstest.Route("TBW102"))
				asked.Add(2)
			}
		}()
	}
	begin(500 * time.Millisecond)
	before, began := asked.Load(), time.Now()
	<-ended
	return reading{Rate: float64(asked.Load()-before) / time.Since(began).Seconds()}
}

func beatOf(i int) *codec.Command {
	return nstest.Request(codec.ReqBrokerHeartbeat, "brokerAddr", fmt.Sprintf("10.9.1.%d:10911", i), "clusterName", "C", "brokerName", fmt.Sprint("b-", i))
}

// liveBrokers register every second, and before that look whether they are still there.
func liveBrokers(addr string, begin func(time.Duration), ended <-chan struct{}) reading {
	var gone atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		broker := nstest.Broker{
			Cluster: "C", Name: fmt.Sprint("b-", i), Addr: fmt.Sprintf("10.9.1.%d:10911", i), Topics: []string{fmt.Sprint("B-", i), "T"},
			Fields: []string{"heartbeatTimeoutMillis", "3000"},
		}
		client := newAsker(addr)
		client.do(broker.Register())
		all.Go(func() {
			for ; !isClosed(ended); time.Sleep(time.Second) {
				if !client.do(nstest.Route(broker.Topics[0])) {
					gone.Add(1)
				}
				client.do(broker.Register())
			}
		})
	}
	begin(0)
	all.Wait()
	return reading{Refused: float64(gone.Load())}
}

// askSlowly asks slow questions over 32 connections, so many times a second, or if rate
// is 0 two at a time and then as fast as it is answered.
func askSlowly(addr string, rate float64, begin func(time.Duration), ended <-chan struct{}) reading {
	const connections, depth, tick, remembered = 32, 2, 10 * time.Millisecond, 1 << 16
	var good, soon, refused, sent atomic.Int64
	var counts atomic.Bool
	var mu sync.Mutex
	var took []float64
	for range connections {
		conn := mustDial(addr)
		answered := make(chan struct{}, 1<<16)
		var times [remembered]atomic.Int64 // when a request was sent, by opaque
		began := time.Now()
		go func() {
			r := bufio.NewReaderSize(conn, 64<<10)
			var size [4]byte
			for {
				if _, err := io.ReadFull(r, size[:]); err != nil {
					return
				}
				reply := make([]byte, binary.BigEndian.Uint32(size[:]))
				if _, err := io.ReadFull(r, reply); err != nil {
					return
				}
				if rate == 0 {
					answered <- struct{}{}
				}
				if !counts.Load() {
					continue
				}
				if !bytes.Contains(reply, []byte(`"code":0,`)) {
					refused.Add(1)
					continue
				}
				good.Add(1)
				_, text, _ := bytes.Cut(reply, []byte(`"opaque":`))
				opaque := 0
				for _, digit := range text {
					if digit < '0' || digit > '9' {
						break
					}
					opaque = 10*opaque + int(digit-'0')
				}
				age := time.Since(began) - time.Duration(times[opaque%remembered].Load())
				if age <= 500*time.Millisecond {
					soon.Add(1)
				}
				mu.Lock()
				took = append(took, float64(age.Microseconds()))
				mu.Unlock()
			}
		}()
		go func() {
			var frames []byte
			request := nstest.Request(slowQuestion)
			for n := 0; ; {
				due := n + 1
				switch {
				case n == 0 && rate == 0:
					due = depth
				case rate > 0:
					time.Sleep(tick)
					due = int(rate / connections * time.Since(began).Seconds())
				}
				frames = frames[:0]
				now := int64(time.Since(began))
				if counts.Load() {
					sent.Add(int64(due - n))
				}
				for ; n < due; n++ {
					request.Opaque = int32(n)
					times[n%remembered].Store(now)
					frames = codec.AppendRequest(frames, codec.SerializeJSON, request)
				}
				if _, err := conn.Write(frames); err != nil {
					return
				}
				if rate == 0 {
					<-answered
				}
			}
		}()
	}
	time.Sleep(2 * time.Second)
	counts.Store(true)
	began := time.Now()
	begin(0)
	<-ended
	counts.Store(false)
	span := time.Since(began).Seconds()
	mu.Lock()
	defer mu.Unlock()
	return reading{
		Rate: float64(good.Load()) / span, Soon: float64(soon.Load()) / span, Refused: float64(refused.Load()) / span,
		Sent: float64(sent.Load()) / span, P50: percentile(took, 50), P99: percentile(took, 99),
	}
}
