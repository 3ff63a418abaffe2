package capacity

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"gonamesrv/bench/group"
	"gonamesrv/bench/launch"
)

// A server is ours, started for one size.
type server struct {
	*launch.Server
	console string // address of its second port, with a slash
}

func start(ctx context.Context, namesrv string) (*server, error) {
	// debug: to let it collect its garbage.
	spec, console, err := launch.NamesrvWithConsole(namesrv, "adminAnonymousLocal=debug")
	if err != nil {
		return nil, err
	}
	s, err := launch.New(ctx, spec)
	if err != nil {
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &server{s, console}, nil
}

// end ends it at once: nobody needs what it would still write.
func (s *server) end() error { return errors.Join(s.Kill(), s.Close()) }

func (s *server) cpu() time.Duration { return group.CPU(s.Target().PID) }

// work is what so many requests take, which do makes.
func (s *server) work(requests int, do func() error) (Work, error) {
	before := s.cpu()
	err := do()
	return Work{requests, (s.cpu() - before).Seconds()}, err
}

// get asks its second port.
func (s *server) get(ctx context.Context, path string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, s.console+path, nil)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(ask)
	if err != nil {
		return fmt.Errorf("capacity: %w", err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("capacity: /%s is answered %s", path, reply.Status)
	}
	return read(reply.Body)
}

// metrics returns the values of all that /metrics has, by name and labels as they are
// written there.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	values := map[string]float64{}
	err := s.get(ctx, "metrics", func(r io.Reader) error {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			line := lines.Text()
			at := strings.LastIndexByte(line, ' ')
			if at < 0 || line[0] == '#' {
				continue
			}
			v, err := strconv.ParseFloat(line[at+1:], 64)
			if err != nil {
				return fmt.Errorf("capacity: /metrics has the line %q", line)
			}
			values[line[:at]] = v
		}
		return lines.Err()
	})
	return values, err
}

// The metrics that are read.
const (
	metricTopics       = "rocketmq_namesrv_topics"
	metricEntries      = "rocketmq_namesrv_table_entries"
	metricCache        = `rocketmq_namesrv_route_cache_bytes{cache="common"}`
	metricSnapshotAge  = "rocketmq_namesrv_route_snapshot_age_seconds"
	metricSnapshotSize = "rocketmq_namesrv_route_snapshot_bytes"
	metricSnapshots    = `rocketmq_namesrv_route_snapshot_writes_total{result="success",what="snapshot"}`
	metricHeap         = "go_memstats_heap_alloc_bytes"
)

// memory looks at it, and lets it collect its garbage after that.
func (s *server) memory(ctx context.Context) (m Memory, err error) {
	m.Resident, m.Peak, err = resident(s.Target().PID)
	if err != nil {
		return m, err
	}
	collect := func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	for range 2 { // what a pool has outlives one collection
		if err := s.get(ctx, "debug/pprof/heap?gc=1", collect); err != nil {
			return m, err
		}
	}
	values, err := s.metrics(ctx)
	m.Heap = uint64(values[metricHeap])
	return m, err
}

// resident is the memory of a process, now and at its most.
func resident(pid int) (now, peak uint64, err error) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0, 0, fmt.Errorf("capacity: process %d: %w", pid, err)
	}
	m, err := p.MemoryInfo()
	if err != nil {
		return 0, 0, fmt.Errorf("capacity: process %d: %w", pid, err)
	}
	return m.RSS, max(m.RSS, group.Peak(pid)), nil
}

const (
	lookEvery  = 500 * time.Millisecond // /metrics may be asked five times a second
	restWithin = 110 * time.Second      // brokers that are silent for two minutes have gone
)

// rest waits until the server has written what it knew at some moment to its file.
func (s *server) rest(ctx context.Context, since time.Time) error {
	for ctx.Err() == nil {
		values, err := s.metrics(ctx)
		if err != nil {
			return err
		}
		age := time.Duration(values[metricSnapshotAge] * float64(time.Second))
		if values[metricSnapshots] > 0 && age < time.Since(since) {
			return nil
		}
		if time.Since(since) > restWithin {
			return fmt.Errorf("capacity: the snapshot of the routes is not written within %v", restWithin)
		}
		sleep(ctx, lookEvery)
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
