package capacity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/natefinch/atomic"

	"gonamesrv/bench"
)

// Kind and Format say in the JSON what it is, and in which version.
const (
	Kind   = "capacity"
	Format = 1
)

// A Report is what Measure has found. It is written as JSON; sizes are bytes.
type Report struct {
	Kind    string        `json:"kind"`
	Format  int           `json:"format"`
	Started time.Time     `json:"started"`
	Command []string      `json:"command"`
	Machine bench.Machine `json:"machine"`
	Seconds float64       `json:"seconds"` // all of it took

	Empty  Memory  `json:"empty"`  // of a server that knows nobody
	Points []Point `json:"points"` // in the order of the sizes
	Idle   *Idle   `json:"idle,omitempty"`
}

// A Point is one size.
type Point struct {
	Size
	Topics  int `json:"topics"`  // that the server counts
	Entries int `json:"entries"` // likewise: one topic on one broker

	// First is the registration of all brokers with an empty server, over a new
	// connection each; Unchanged repeats it, NewVersion does so with another data version.
	First      Work `json:"first"`
	Unchanged  Work `json:"unchanged"`
	NewVersion Work `json:"newVersion"`
	// RegistrationBytes has the request of one broker.
	RegistrationBytes int `json:"registrationBytes"`

	// AskedOnce is one read of each topic, many in a pipeline: the route is encoded for
	// it. Reads are reads at random after that, one at a time.
	AskedOnce  Work    `json:"askedOnce"`
	Reads      Work    `json:"reads"`
	ReplyBytes float64 `json:"replyBytes"` // mean of them

	Registered Memory `json:"registered"` // after the first registration
	Used       Memory `json:"used"`       // after all of the above
	CacheBytes uint64 `json:"cacheBytes"` // encoded routes that were kept then

	SnapshotBytes uint64 `json:"snapshotBytes"`
	// SnapshotCPUSeconds is what the server did after the first registration until it had
	// written its file.
	SnapshotCPUSeconds float64  `json:"snapshotCpuSeconds"`
	Restart            *Restart `json:"restart,omitempty"` // nil: its routes did not come back

	// Back is the registration of all brokers after the restart, over new connections.
	Back Work   `json:"back"`
	Left Memory `json:"left"` // after all have unregistered then: what stays
}

// A Work is what a number of equal requests took of the server's CPU.
type Work struct {
	Requests   int     `json:"requests"`
	CPUSeconds float64 `json:"cpuSeconds"`
}

// each is the CPU time of one request in seconds.
func (w Work) each() float64 { return w.CPUSeconds / float64(max(1, w.Requests)) }

// A Memory is that of the server at one moment.
type Memory struct {
	Resident uint64 `json:"resident"`
	Peak     uint64 `json:"peak"` // resident, since its start
	Heap     uint64 `json:"heap"` // of Go, after a garbage collection: what is in use
}

// A Restart is the start after kill -9.
type Restart struct {
	FirstReplySeconds float64 `json:"firstReplySeconds"` // since the start of the process
	RouteSeconds      float64 `json:"routeSeconds"`      // until it has told a whole route
	CPUSeconds        float64 `json:"cpuSeconds"`        // until then
	Peak              uint64  `json:"peak"`              // until then, resident
}

// An Idle is connections that say nothing, beside a few brokers.
type Idle struct {
	Topics  int          `json:"topics"`
	Entries int          `json:"entries"`
	Steps   []bench.Step `json:"steps"`
}

// Write writes r as JSON. The file is replaced as a whole.
func (r *Report) Write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("capacity: %w", err)
	}
	if err := atomic.WriteFile(path, bytes.NewReader(append(text, '\n'))); err != nil {
		return fmt.Errorf("capacity: write %s: %w", path, err)
	}
	return os.Chmod(path, 0o644)
}

// Read reads what Write wrote.
func Read(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("capacity: %s: %w", path, err)
	}
	if r.Kind != Kind || r.Format != Format {
		return nil, fmt.Errorf("capacity: %s: is a %q of format %d, want %q of format %d", path, r.Kind, r.Format, Kind, Format)
	}
	return r, nil
}
