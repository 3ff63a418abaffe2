package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Options say where lines go.
type Options struct {
	Path         string           // of the file; its folder is made
	MaxMegabytes int              // size in MiB at which the file is set aside and another one begun, at least 1
	MaxBackups   int              // how many are kept that were set aside, at least 1
	Chain        bool             // each line has a hash of those before it
	Sync         bool             // each batch of lines is synced, not only once a second
	Now          func() time.Time // dates lines
	Logger       *slog.Logger     // is told once a minute, at most, that lines cannot be written
}

const (
	// What may wait to be written. Lines that anybody can cause leave a quarter of it to
	// the others.
	queueLines = 4096
	queueBytes = 8 << 20

	syncInterval = time.Second
	batchBytes   = 1 << 20
)

// A Log is an audit log. Its methods are safe from any goroutine, but for Start.
type Log struct {
	o     Options
	boot  string
	file  *file // of the goroutine that writes, from Start on
	wake  chan struct{}
	stop  chan struct{}
	ended chan struct{}

	mu      sync.Mutex
	queue   []entry
	bytes   int // of queue
	seq     uint64
	dropped uint64 // since the last line that found room
	closed  bool
	started bool

	written, lost, failures atomic.Uint64
	size, waiting           atomic.Int64
	beforeWrite             func()      // see BeforeWrite
	broken                  atomic.Bool // the last write has failed
	complain                rate.Sometimes
}

// An entry is a line that waits.
type entry struct {
	seq  uint64
	at   time.Time
	lost uint64 // lines before it for which there was no room
	body []byte
	done *Receipt // nil: nobody wants to know
}

// A Receipt is told when a line is on the disk, or lost.
type Receipt struct {
	done    chan struct{}
	waiting *atomic.Int64 // how many wait for lines of the log
}

// Wait returns when the line is on the disk or lost, or after a time. A nil Receipt does
// not wait.
func (r *Receipt) Wait(most time.Duration) {
	if r == nil {
		return
	}
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-r.done:
	case <-late.C:
	}
}

// Stats shows an audit log. Counts begin at zero with the log.
type Stats struct {
	Path     string // auditLogPath; "" if there is no audit log
	Chained  bool
	Written  uint64 // lines that are in the file
	Lost     uint64 // lines that found no room in the queue, or could not be written
	Failures uint64 // writes that failed
	Broken   bool   // the last write has failed
	Queued   int    // lines that wait
	Waiting  int    // answers that wait for their line, with Sync
	Bytes    int64  // of the file
}

// Open returns a log that takes lines. They wait until Start. It fails when the file
// cannot be appended to.
func Open(o Options) (*Log, error) {
	var boot [8]byte
	_, _ = rand.Read(boot[:]) // never fails
	l := &Log{
		o: o, boot: hex.EncodeToString(boot[:]),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
		complain: rate.Sometimes{Interval: time.Minute},
	}
	l.file = newFile(&l.o)
	if err := l.file.open(); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	l.size.Store(l.file.size)
	return l, nil
}

// Put takes a line and never waits. Lines that strangers can cause are not ours: they
// leave room to others. It returns nil if nobody would be told what became of it.
func (l *Log) Put(line *Line, ours bool) *Receipt {
	body := line.encode()
	at := l.o.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	lines, bytes := queueLines, queueBytes
	if !ours {
		lines, bytes = lines/4*3, bytes/4*3
	}
	if l.closed || len(l.queue) >= lines || l.bytes+len(body) > bytes {
		l.dropped++
		l.lost.Add(1)
		return nil
	}
	e := entry{seq: l.seq, at: at, lost: l.dropped, body: body}
	if l.o.Sync && ours {
		e.done = &Receipt{make(chan struct{}), &l.waiting}
	}
	l.dropped = 0
	l.queue = append(l.queue, e)
	l.bytes += len(body)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return e.done
}

// BeforeWrite makes the goroutine that writes call f before each batch that it writes. It
// is for tests, which decide so when something is written. Before Start.
func (l *Log) BeforeWrite(f func()) { l.beforeWrite = f }

// CanTake reports whether a line that is put now is likely to be written: the last write
// has not failed, and there is room for more lines than there can be workers.
func (l *Log) CanTake() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.broken.Load() && len(l.queue) < queueLines/8*7 && l.bytes < queueBytes/8*7 && !l.closed
}

// IsBroken reports whether the last write has failed. It takes no lock.
func (l *Log) IsBroken() bool { return l.broken.Load() }

// Stats returns what the log looks like now.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	queued := len(l.queue)
	l.mu.Unlock()
	return Stats{
		Path: l.o.Path, Chained: l.o.Chain, Written: l.written.Load(), Lost: l.lost.Load(),
		Failures: l.failures.Load(), Broken: l.broken.Load(), Queued: queued, Waiting: int(l.waiting.Load()), Bytes: l.size.Load(),
	}
}

// Start implements component.Component.
func (l *Log) Start(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = true
	go l.run()
	return nil
}

// Stop implements component.Component: it returns when all lines are on the disk. Those
// that come later are lost.
func (l *Log) Stop(ctx context.Context) {
	l.mu.Lock()
	again, started := l.closed, l.started
	l.closed = true
	l.mu.Unlock()
	switch {
	case !started && !again:
		l.file.close()
		return
	case !started:
		return
	case !again:
		close(l.stop)
	}
	select {
	case <-l.ended:
	case <-ctx.Done():
	}
}

// run writes until the log is stopped.
func (l *Log) run() {
	defer close(l.ended)
	defer l.file.close()
	tick := time.NewTicker(syncInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.wake:
			l.writeAll(l.o.Sync)
		case <-tick.C:
			if err := l.file.look(); err != nil {
				l.failed(err)
			}
		case <-l.stop:
			l.writeAll(true)
			return
		}
	}
}

// writeAll writes what waits, batch by batch.
func (l *Log) writeAll(sync bool) {
	for {
		batch := l.take()
		if len(batch) == 0 {
			return
		}
		if l.beforeWrite != nil {
			l.beforeWrite()
		}
		whole, err := l.file.write(batch, l.boot)
		if err == nil && sync {
			err = l.file.sync()
		}
		l.written.Add(uint64(whole))
		l.lost.Add(uint64(len(batch) - whole))
		l.size.Store(l.file.size)
		if err != nil {
			l.failed(err)
		} else {
			l.broken.Store(false)
		}
		for _, e := range batch {
			if e.done != nil {
				close(e.done.done)
			}
		}
	}
}

func (l *Log) failed(err error) {
	l.broken.Store(true)
	l.failures.Add(1)
	l.complain.Do(func() {
		l.o.Logger.Error("audit log cannot be written", "file", l.o.Path, "err", err, "lost", l.lost.Load())
	})
}

// take takes a batch from the queue.
func (l *Log) take() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, bytes := 0, 0
	for n < len(l.queue) && (n == 0 || bytes+len(l.queue[n].body) <= batchBytes) {
		bytes += len(l.queue[n].body)
		n++
	}
	batch := l.queue[:n:n]
	l.queue = l.queue[n:]
	l.bytes -= bytes
	if len(l.queue) == 0 {
		l.queue = nil
	}
	return batch
}
