package namesrv_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"

	"gonamesrv/bench"
	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// BenchmarkSocketCPU measures what one route request costs the server, socket
// included, beside a bare gnet server that cuts frames and answers each with
// as many bytes, and the floor of nsbench, which is to cost as much as that. Each is a
// process of its own; every iteration drives all of
// them in turn, there and back, and what counts is the median of the ratios within a round.
// Run it with -benchtime=7x or so, on an otherwise idle machine.
func BenchmarkSocketCPU(b *testing.B) {
	loop := startChild(b, "loop", 0)
	frame, size := routeExchange(b, loop)
	rivals := []*child{startChild(b, "echo", size), loop, startChild(b, "pool", 0), startChild(b, "floor", size)}
	routeExchange(b, rivals[2])
	for _, load := range []struct{ connections, depth int }{{64, 1}, {1000, 1}, {64, 16}} {
		b.Run(fmt.Sprintf("connections=%d/depth=%d", load.connections, load.depth), func(b *testing.B) {
			compareCPU(b, rivals, frame, size, load.connections, load.depth)
		})
	}
}

// BenchmarkLargeFrameCPU measures what an unchanged registration of 10,000 topics costs
// the server beside the floor of nsbench, which must not cost more, and a bare gnet server.
func BenchmarkLargeFrameCPU(b *testing.B) {
	loop := startChild(b, "loop", 0)
	var topics []codec.TopicConfig
	for i := range 10_000 {
		topics = append(topics, codec.TopicConfig{Name: fmt.Appendf(nil, "topic-%05d", i), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
	}
	body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: 1}, Topics: topics}
	frame, size := exchange(nstest.Dial(b, loop.addr), brokerA.RegisterBody(body.AppendJSON(nil)))
	rivals := []*child{startChild(b, "floor", size), loop, startChild(b, "echo", size)}
	compareCPU(b, rivals, frame, size, 4, 1)
}

// compareCPU reports what a request costs each of the rivals, and the ratios to the first.
func compareCPU(b *testing.B, rivals []*child, frame []byte, size, connections, depth int) {
	ratios := make([][]float64, len(rivals))
	micros := make([][]float64, len(rivals))
	for b.Loop() {
		round := make([]float64, len(rivals))
		for i := range 2 * len(rivals) {
			at := min(i, 2*len(rivals)-1-i) // A B B A
			round[at] += rivals[at].cpuPerRequest(b, frame, size, connections, depth) / 2
		}
		for i, v := range round {
			micros[i] = append(micros[i], v)
			ratios[i] = append(ratios[i], v/round[0])
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, r := range rivals {
		b.ReportMetric(median(micros[i]), r.mode+"-µs-CPU/req")
		if i > 0 {
			b.ReportMetric(median(ratios[i]), r.mode+"-x-"+rivals[0].mode)
		}
	}
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// A child is a server in a process of its own.
type child struct {
	mode  string
	cmd   *exec.Cmd
	addr  string
	lines <-chan string // what it prints after its address
}

func startChild(b testing.TB, mode string, size int) *child {
	b.Helper()
	return startAs(b, exec.Command(os.Args[0]), mode, size)
}

// startAs is startChild with a command that runs this program.
func startAs(b testing.TB, cmd *exec.Cmd, mode string, size int) *child {
	b.Helper()
	cmd.Env = append(os.Environ(), "NAMESRV_BENCH_CHILD="+mode, "NAMESRV_BENCH_SIZE="+strconv.Itoa(size))
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); { // gnet has more to say
		if addr, ok := strings.CutPrefix(lines.Text(), "address "); ok {
			said := make(chan string)
			go func() {
				for lines.Scan() {
					said <- lines.Text()
				}
			}()
			return &child{mode, cmd, addr, said}
		}
	}
	b.Fatalf("the %s server does not say its address", mode)
	return nil
}

// routeExchange registers a broker and returns a route request and the size of
// its reply.
func routeExchange(b *testing.B, c *child) (frame []byte, size int) {
	b.Helper()
	broker := nstest.Dial(b, c.addr)
	broker.Do(brokerA.Register())
	broker.Do(slaveA.Register())
	return exchange(broker, nstest.Route("T"))
}

// tenDigits is an opaque as the floor of nsbench wants it.
const tenDigits = 1_000_000_000

// exchange returns a request and the size of its reply.
func exchange(c *nstest.Client, r *codec.Command) (frame []byte, size int) {
	r.Opaque = tenDigits
	frame = codec.AppendRequest(nil, r.SerializeType, r)
	c.Write(frame)
	return frame, len(c.ReadFrame())
}

// cpuPerRequest drives the server in a closed loop and returns the CPU time in
// µs that it spent per request.
func (c *child) cpuPerRequest(b *testing.B, frame []byte, size, connections, depth int) float64 {
	b.Helper()
	burst := slices.Repeat(frame, depth)
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	warm := make(chan struct{})
	deadline := time.Now().Add(1300 * time.Millisecond)
	var before time.Duration
	time.AfterFunc(300*time.Millisecond, func() {
		before = c.cpu(b)
		close(warm)
	})
	for range connections {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			defer conn.Close()
			replies := make([]byte, size*depth)
			n := 0
			for time.Now().Before(deadline) {
				if _, err := conn.Write(burst); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(conn, replies); err != nil {
					b.Error(err)
					return
				}
				select {
				case <-warm:
					n += depth
				default:
				}
			}
			mu.Lock()
			total += n
			mu.Unlock()
		})
	}
	wg.Wait()
	spent := c.cpu(b) - before
	return float64(spent.Microseconds()) / float64(total)
}

// cpu returns the processor time of the process so far, user and system.
func (c *child) cpu(b *testing.B) time.Duration {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", c.cmd.Process.Pid))
	if err != nil {
		b.Skipf("no processor times of other processes on this system: %v", err)
	}
	var sum time.Duration
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", c.cmd.Process.Pid, task.Name()))
		if err != nil {
			continue // the thread has ended
		}
		ns, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		sum += time.Duration(ns)
	}
	return sum
}

// otherChildren are programs of children that not every system has.
var otherChildren = map[string]func(){}

// runChild is the whole program of a child.
func runChild(mode string) {
	if mode == "peer" {
		runPeer()
	}
	if os.Getenv("NAMESRV_BENCH_TARGETS") == "off" {
		namesrv.ForgetTargets()
	}
	if run := otherChildren[mode]; run != nil {
		run()
	}
	if mode == "echo" {
		size, _ := strconv.Atoi(os.Getenv("NAMESRV_BENCH_SIZE"))
		reply := make([]byte, size)
		binary.BigEndian.PutUint32(reply, uint32(size-4))
		err := gnet.Run(&echo{reply: reply}, "tcp://127.0.0.1:0", gnet.WithNumEventLoop(1))
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if mode == "floor" {
		serveFloor()
	}
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort, cfg.RouteReadsOnLoop = "127.0.0.1", 0, mode == "loop"
	cfg.ServerSelectorThreads = 1
	cfg.AccessPreset = cmp.Or(os.Getenv("NAMESRV_BENCH_PRESET"), cfg.AccessPreset)
	cfg.AccessFile = os.Getenv("NAMESRV_BENCH_ACCESS")
	cfg.MemoryBudget, _ = strconv.ParseInt(os.Getenv("NAMESRV_BENCH_BUDGET"), 10, 64)
	freeOnSignal()
	countOnSignal()
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	if err == nil {
		err = s.Listen()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if topics, _ := strconv.Atoi(os.Getenv("NAMESRV_BENCH_TOPICS")); topics > 0 {
		if err := fillToRead(s, topics); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	s.InDefaultPool(slowQuestion, func() codec.Reply { time.Sleep(slowTime); return codec.Reply{} })
	fmt.Println("address", s.Addr())
	fmt.Fprintln(os.Stderr, s.Run(context.Background()))
	os.Exit(1)
}

// serveFloor serves the floor of nsbench, with replies of NAMESRV_BENCH_SIZE bytes.
func serveFloor() {
	size, _ := strconv.Atoi(os.Getenv("NAMESRV_BENCH_SIZE"))
	reply := codec.Reply{Opaque: tenDigits}
	empty := codec.AppendReply(nil, codec.SerializeJSON, &reply)
	reply.Body = make([]byte, max(0, size-len(empty)))
	addr, _, err := bench.ListenEcho(context.Background(), codec.AppendReply(nil, codec.SerializeJSON, &reply))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("address", addr)
	select {}
}

// slowQuestion is one of operators that keeps a worker for slowTime, and no processor.
const (
	slowQuestion codec.RequestCode = 700
	slowTime                       = 4 * time.Millisecond
)

// freeSignal is SIGUSR1, by number because Windows has none; these servers need
// Linux, for /proc.
const freeSignal = syscall.Signal(10)

// freeOnSignal returns all memory that is not used to the system whenever
// somebody sends freeSignal, and says so.
func freeOnSignal() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, freeSignal)
	go func() {
		for range asked {
			debug.FreeOSMemory()
			fmt.Println("freed")
		}
	}()
}

// echo is gnet and nothing else: it cuts frames by their length and answers
// each with the same bytes, all of one read in one write.
type echo struct {
	gnet.BuiltinEventEngine
	reply []byte
	out   []byte
}

func (e *echo) OnBoot(eng gnet.Engine) gnet.Action {
	go func() {
		fd, err := eng.Dup()
		if err != nil {
			os.Exit(1)
		}
		l, err := net.FileListener(os.NewFile(uintptr(fd), "listener"))
		if err != nil {
			os.Exit(1)
		}
		fmt.Println("address", l.Addr())
		l.Close()
	}()
	return gnet.None
}

func (e *echo) OnTraffic(c gnet.Conn) gnet.Action {
	in, _ := c.Peek(-1)
	n := 0
	e.out = e.out[:0]
	for len(in)-n >= 4 {
		size := 4 + int(binary.BigEndian.Uint32(in[n:]))
		if len(in)-n < size {
			break
		}
		n += size
		e.out = append(e.out, e.reply...)
	}
	if n > 0 {
		c.Discard(n)
		c.Write(e.out)
	}
	return gnet.None
}
