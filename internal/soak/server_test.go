//go:build soak

package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"gonamesrv/internal/namesrv"
)

// childEnv is the variable that makes the test program run as the server.
const childEnv = "GONAMESRV_SOAK_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A reading is what the server process holds.
type reading struct {
	Goroutines int            // without those that are idle, see idleWorker
	Begun      map[string]int // the same, by the function that began them
	Files      int            // descriptors
	Heap       int64          // bytes in use after a collection
	RSS        int64          // bytes
}

// serve runs a server until stdin ends. It writes its address and then, for
// each line of stdin, a reading.
func serve() error {
	cfg := namesrv.DefaultConfig()
	cfg.TrustLoopback = true // wherever the tests run
	cfg.JournalSize = 1_024  // the fewest: it is full after the warm-up, and takes no more from then on
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	s, err := namesrv.New(cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return err
	}
	if err := s.Listen(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	fmt.Println(s.Addr())
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		r, err := read()
		if err != nil {
			return err
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
	stop()
	return <-ended
}

// read takes a reading. It collects garbage twice first, because a sync.Pool survives one
// collection.
func read() (reading, error) {
	runtime.GC()
	debug.FreeOSMemory()
	p, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return reading{}, err
	}
	files, err := p.NumFDs()
	if err != nil {
		return reading{}, err
	}
	memory, err := p.MemoryInfo()
	if err != nil {
		return reading{}, err
	}
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	goroutines, by := begun()
	return reading{
		Goroutines: goroutines,
		Begun:      by,
		Files:      int(files),
		Heap:       int64(heap.HeapAlloc),
		RSS:        int64(memory.RSS),
	}, nil
}

// idleWorker is the innermost call of a goroutine of gnet's pool that has nothing to do.
// The pool has as many as have ever worked at the same time, and each ends 10 to 20 seconds
// after its last work. So a reading does not count them.
const idleWorker = "github.com/panjf2000/ants/v2.(*goWorker).run.func1("

// begun counts goroutines by the function that began them.
func begun() (all int, by map[string]int) {
	text := make([]byte, 4<<20)
	text = text[:runtime.Stack(text, true)]
	by = map[string]int{}
	for stack := range strings.SplitSeq(string(text), "\n\n") {
		if _, calls, _ := strings.Cut(stack, "\n"); strings.HasPrefix(calls, idleWorker) {
			continue
		}
		_, name, _ := strings.Cut(stack, "\ncreated by ")
		name, _, _ = strings.Cut(name, " in goroutine")
		by[name]++
		all++
	}
	return all, by
}

// A server is the process that serves.
type server struct {
	addr string
	in   io.WriteCloser
	out  *bufio.Reader
}

// startServer starts the process. At the end of the test it stops the process, which must
// exit with code 0.
func startServer(t *testing.T) *server {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ends: %v", err)
		}
	})
	s := &server{in: in, out: bufio.NewReader(out)}
	addr, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the server does not start: %v", err)
	}
	s.addr = addr[:len(addr)-1]
	return s
}

// read asks the server for a reading.
func (s *server) read(t *testing.T) reading {
	t.Helper()
	if _, err := io.WriteString(s.in, "\n"); err != nil {
		t.Fatalf("ask the server: %v", err)
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the server does not answer: %v", err)
	}
	var r reading
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatal(err)
	}
	return r
}
