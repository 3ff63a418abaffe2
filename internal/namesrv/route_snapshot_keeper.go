package namesrv

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/route"
)

// Why a snapshot was written.
const (
	becauseChanged = "change"
	becauseUrgent  = "broker or topic" // that came, left, or was changed by an operator
	becauseDrain   = "drain"
	becauseEnd     = "end"
)

// logEvery is the time between two lines about the same failure that goes on.
const logEvery = time.Minute

// keeperTime is how long the last snapshot may take when the server ends: that of
// the largest tables takes 5 s.
const keeperTime = 15 * time.Second

// foreignAge is the age of a stamp that another process would have renewed three
// times by then.
const foreignAge = 3 * stampInterval

var errForeign = errors.New("another process writes it")

// A routeKeeper keeps the routes in a file, so that the next process can begin with
// them (route_snapshot_load.go). It is a component: its Start reads the file; then
// a goroutine writes it when something has changed (route_snapshot_plan.go), at once
// when the server is told to end, and once more in the end.
//
// It writes Views, so that it holds nobody up, and that tables and data versions are
// of one moment. If it cannot, it goes on trying, and the server goes on serving.
type routeKeeper struct {
	s        *Server
	path     string
	mode     string // warmStart
	identity string
	maxAge   time.Duration
	loadTime time.Duration

	process string                         // this one among all
	now     func() time.Duration           // the server's clock
	boot    func() (string, time.Duration) // bootTime, except in tests
	between func()                         // tests only: called before each piece of a write
	reading func()                         // tests only: called before a file is read

	wake   chan struct{} // holds one: there was an urgent change
	urgent atomic.Uint64 // the edition of the newest one

	// What follows is of the goroutine that starts, runs and stops it, one after the
	// other.
	file     fileLock
	inUse    bool // another process has the file, and nothing more is said of it
	plan     snapshotPlan
	written  uint64 // the edition that the file shows
	seen     uint64 // of urgent
	number   uint64 // of the last stamp
	failing  bool
	complain time.Duration // not before; of the next line about a failure

	former       string // the process that has written the file before
	formerNumber uint64 // and its last stamp

	expected *route.Saved // whom needWaitForService waits for; nil nobody
	shadow   *route.Saved // what would have been served; nil once it was compared
	shadowAt time.Duration
	loadEnds chan struct{} // closed when nothing is read any more
	ended    chan struct{} // closed when the goroutine has ended

	open atomic.Bool // needWaitForService keeps nobody waiting any more

	writes, writeFailures, stamps, stampFailures atomic.Int64

	mu    sync.Mutex
	last  RouteWriteStats  // under mu; without what is counted
	good  time.Duration    // under mu; when the file was last known to be right
	begun RouteLoadStats   // under mu
	diff  RouteShadowStats // under mu
}

// A RouteSnapshotStats is what a server does to keep its routes over a restart.
type RouteSnapshotStats struct {
	Mode   string // warmStart: off, shadow or on; off too where there is no routeSnapshotPath
	Load   RouteLoadStats
	Write  RouteWriteStats
	Warmth route.Warmth // what has become of what was restored
	Shadow RouteShadowStats
}

// A RouteLoadStats is what the server began with.
type RouteLoadStats struct {
	// Result is restored or shadow for a good snapshot; none, empty, in use, refused or
	// abandoned if there was none; off if nobody looked, and empty before the start.
	Result   string
	File     string        // of which the rest is said
	Why      string        // it was not used
	Age      time.Duration // since it was last known to be right
	Duration time.Duration // of reading
	Brokers  int           // live entries
	Topics   int
}

// A RouteWriteStats is how it writes.
type RouteWriteStats struct {
	Writes, WriteFailures int64
	Stamps, StampFailures int64 // each says that the file is still right

	Age      time.Duration // since the file was last known to be right; 0 before the first write
	Written  time.Time     // the last write, by the wall clock; zero before the first
	Bytes    int64         // of it
	Duration time.Duration // of it
	Reason   string        // of it
	Failing  string        // why the last try failed; empty if it did not
}

// newRouteKeeper returns the keeper of a server; nil if it is off.
func newRouteKeeper(s *Server, cfg *Config) *routeKeeper {
	if !cfg.keepsSnapshot() {
		return nil
	}
	return &routeKeeper{
		s: s, path: cfg.RouteSnapshotPath, mode: cfg.WarmStart, identity: cfg.identity(),
		maxAge: cfg.WarmStartMaxAge, loadTime: cfg.WarmStartLoadTime,
		process: rand.Text(), now: func() time.Duration { return s.clock.Now() }, boot: bootTime,
		wake: make(chan struct{}, 1), written: 1, number: 1,
		file:  fileLock{path: cfg.RouteSnapshotPath, log: s.log},
		ended: make(chan struct{}),
	}
}

// moment is now, as a stamp tells it.
func (k *routeKeeper) moment() routeStamp {
	id, boot := k.boot()
	return routeStamp{k.s.wall(), id, boot}
}

// noteEvent is told what has happened to the tables. Safe from any goroutine, as is
// changed, and on a nil keeper.
func (k *routeKeeper) noteEvent(e route.Event) {
	if k != nil && e.Kind != route.RegistrationRefused {
		k.changed(e.Edition)
	}
}

// changed says that there was an urgent change, which the View of the given edition
// shows: a broker has come or left, or an operator has changed something.
func (k *routeKeeper) changed(edition uint64) {
	if k == nil {
		return
	}
	for old := k.urgent.Load(); old < edition && !k.urgent.CompareAndSwap(old, edition); old = k.urgent.Load() {
	}
	select {
	case k.wake <- struct{}{}:
	default: // it is awake
	}
}

// Start reads the file and begins to write.
func (k *routeKeeper) Start(ctx context.Context) error {
	if err := k.load(ctx); err != nil {
		k.file.release()
		return err
	}
	go func() {
		defer close(k.ended)
		k.run(ctx)
	}()
	return nil
}

// Stop writes what has changed since, and lets other processes write the file. Before
// that nobody is to change the tables any more.
func (k *routeKeeper) Stop(ctx context.Context) {
	for _, end := range []chan struct{}{k.ended, k.loadEnds} {
		if end == nil {
			continue
		}
		select {
		case <-end:
		case <-ctx.Done():
			return
		}
	}
	k.finish(becauseEnd)
	k.file.release()
}

// run writes until ctx is done.
func (k *routeKeeper) run(ctx context.Context) {
	changed, cancel, err := k.s.table.Subscribe()
	if err != nil {
		k.s.log.Error("snapshot of the routes is not written", "err", err)
		return
	}
	defer cancel()
	k.shadowAt = k.now() + k.shadowWindow()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		k.look()
		if d := k.do(ctx); d > 0 {
			timer.Reset(d)
		} else {
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-k.wake:
		case <-timer.C:
		}
	}
	k.finish(becauseDrain)
}

// look sees what there is to write.
func (k *routeKeeper) look() {
	now, urgent := k.now(), k.urgent.Load()
	if k.s.table.View().Edition() != k.written {
		k.plan.change(now, urgent > max(k.seen, k.written))
		k.seen = urgent
	}
	k.lookForExpected()
	if k.shadow != nil && now >= k.shadowAt {
		k.compareShadow()
	}
}

// idle is how long it sleeps at most.
const idle = time.Hour

// do does what is due, if anything is, and returns how long there is nothing to do;
// 0 is that there may be more.
func (k *routeKeeper) do(ctx context.Context) time.Duration {
	now, wait := k.now(), idle
	if k.shadow != nil {
		wait = max(k.shadowAt-now, time.Millisecond)
	}
	task, at, ok := k.plan.next()
	if !ok {
		return wait
	}
	if at > now {
		return min(at-now, wait)
	}
	if task == stampSnapshot {
		k.stamp()
		return 0
	}
	reason := becauseChanged
	if k.plan.urgent {
		reason = becauseUrgent
	}
	k.write(func() bool { return ctx.Err() == nil }, reason)
	return 0
}

// finish writes, or stamps, what the file is to say in the end.
func (k *routeKeeper) finish(reason string) {
	switch {
	case k.s.table.View().Edition() != k.written:
		k.write(hurried, reason)
	case k.plan.hasFile && reason == becauseDrain:
		k.stamp()
	}
}

// hurried is for a write that somebody waits for.
func hurried() (hasTime bool) { return false }

// write writes the tables as they are now. It takes its time as long as hasTime says
// that there is some.
func (k *routeKeeper) write(hasTime func() bool, reason string) {
	began := k.now()
	if err := k.take(); err != nil {
		k.writeFailures.Add(1)
		k.failed("lock", err)
		return
	}
	v, at := k.s.table.View(), k.moment()
	h := &route.SnapshotHeader{
		Identity: k.identity, Hostname: clipped(hostName(), maxIdentity), ProcessID: k.process, Reason: reason, ServerVersion: clipped(Version(), maxIdentity),
		Sequence: uint64(k.writes.Load()) + 1, WrittenMillis: at.wall.UnixMilli(), Stamp: at.stamp(k.number + 1),
	}
	var slept time.Duration
	rested := began
	between := func() error {
		if k.between != nil {
			k.between()
		}
		if now := k.now(); now-rested >= writePiece && hasTime() {
			pause := writePause
			if now-began >= writeLong {
				pause = writePauseLate
			}
			time.Sleep(pause)
			rested = k.now()
			slept += rested - now
		}
		return nil
	}
	var size route.SnapshotSize
	err := replaceSnapshot(linkTarget(k.path), func(w io.Writer) (err error) {
		size, err = route.WriteSnapshot(w, h, v, k.s.nowMillis(), between)
		return err
	})
	if err != nil {
		k.writeFailures.Add(1)
		k.failed("write", err)
		return
	}
	k.number++
	k.written = v.Edition()
	ended := k.now()
	k.plan.wrote(began, ended, slept)
	k.writes.Add(1)
	k.succeeded(began)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last.Written, k.last.Bytes, k.last.Duration, k.last.Reason = at.wall, size.Bytes, ended-began, reason
}

// stamp says in the file that it is right now.
func (k *routeKeeper) stamp() {
	now := k.now()
	err := k.take()
	if err == nil {
		err = stampFile(linkTarget(k.path), k.moment().stamp(k.number+1))
	}
	if err != nil {
		k.stampFailures.Add(1)
		k.failed("stamp", err)
		return
	}
	k.number++
	k.plan.stamped(now)
	k.stamps.Add(1)
	k.succeeded(now)
}

// take makes sure that this process may write the file.
func (k *routeKeeper) take() error {
	if k.file.held == nil {
		if err := k.file.take(); err != nil {
			return err
		}
		k.inUse = false
		k.s.log.Info("snapshot of the routes is written by this process from now on", "file", k.path)
	}
	if k.file.alone {
		return nil
	}
	h, err := readHead(k.path)
	if err != nil || h.ProcessID == k.process || h.ProcessID == k.former && h.Stamp.Number == k.formerNumber {
		return nil // there is none, a broken one, ours or the one that was there at the start
	}
	if age, ok := ageOf(&h.Stamp, k.moment()); ok && age > foreignAge {
		return nil
	}
	return errForeign
}

// failed notes a failure. One that goes on is said once a minute; that another
// process has the file is said once.
func (k *routeKeeper) failed(what string, err error) {
	now := k.now()
	k.plan.failed(now)
	k.mu.Lock()
	k.last.Failing = clip(what + ": " + remarkOf(err))
	k.mu.Unlock()
	inUse := refusalOf(err) != nil
	if k.failing && now < k.complain || inUse && k.inUse {
		return
	}
	k.failing, k.inUse, k.complain = true, inUse, now+logEvery
	k.s.log.Warn("snapshot of the routes cannot be written, it stays as it was", "file", k.path, "what", what, "err", remarkOf(err))
}

// succeeded notes that the file was right at the given time.
func (k *routeKeeper) succeeded(now time.Duration) {
	if k.failing {
		k.failing = false
		k.s.log.Info("snapshot of the routes is written again", "file", k.path)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last.Failing, k.good = "", now
}

func (k *routeKeeper) loaded(r RouteLoadStats) {
	k.s.journalLoad(r)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begun = r
}

// stats returns what the keeper does. Safe from any goroutine, and on a nil keeper.
func (k *routeKeeper) stats() RouteSnapshotStats {
	if k == nil {
		return RouteSnapshotStats{Mode: warmStartOff, Load: RouteLoadStats{Result: loadOff}}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	r := RouteSnapshotStats{Mode: k.mode, Load: k.begun, Write: k.last, Shadow: k.diff}
	w := &r.Write
	w.Writes, w.WriteFailures = k.writes.Load(), k.writeFailures.Load()
	w.Stamps, w.StampFailures = k.stamps.Load(), k.stampFailures.Load()
	if !w.Written.IsZero() {
		w.Age = max(k.now()-k.good, 0)
	}
	return r
}

// clipped returns the first bytes of text.
func clipped(text string, most int) string { return text[:min(len(text), most)] }
