package namesrv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"gonamesrv/route"
)

// What a server begins with: the routes of the process before, or none. Nothing in
// here stops the start, and nothing is taken over by half.

// What becomes of a snapshot at the start.
const (
	loadOff       = "off"       // nobody has looked for one
	loadNone      = "none"      // there is none
	loadEmpty     = "empty"     // there is one of tables without brokers
	loadInUse     = "in use"    // another process writes it, and it is that one's
	loadRefused   = "refused"   // there is one that must not be used
	loadAbandoned = "abandoned" // reading took too long
	loadShadow    = "shadow"    // it could be used, and is not, as warmStart says
	loadRestored  = "restored"  // it is what the server began with
)

var (
	errNoBrokers = errors.New("it has no brokers")
	errAgeless   = errors.New("it comes from the future, so its age is not known")
)

// A staleError says that a snapshot is too old.
type staleError struct{ age, most time.Duration }

func (e *staleError) Error() string {
	return fmt.Sprintf("it was last known to be right %v ago, %v is the most", e.age.Round(time.Second), e.most)
}

// An identityError says that a snapshot is that of another server.
type identityError struct{ is, want string }

func (e *identityError) Error() string {
	return fmt.Sprintf("it is of %q, this is %q", clip(e.is), clip(e.want))
}

// A loaded is a snapshot that may be used.
type loaded struct {
	file   string
	header *route.SnapshotHeader
	saved  *route.Saved
	age    time.Duration
	table  *route.Table // with all of it
}

// A refused is a file that must not be used.
type refusedFile struct {
	file   string
	header *route.SnapshotHeader // nil if that was not read
	saved  *route.Saved          // nil if that was not read
	err    error
}

// keep reports whether the file is to stay where it is: there is nothing wrong with
// it, or nobody knows because it could not be read.
func (r *refusedFile) keep() bool {
	var io *fs.PathError
	return errors.Is(r.err, errNoBrokers) || errors.As(r.err, &io)
}

// A loading is what was found at the start.
type loading struct {
	good    *loaded // nil if there is none
	refused []refusedFile
}

// find reads the file, and if that must not be used, its backup. An intact file
// without brokers is the last word: what the backup lists has left since.
func (k *routeKeeper) find() (found loading) {
	for _, file := range []string{k.path, k.path + backupSuffix} {
		good, bad := k.read(file)
		switch {
		case good != nil:
			found.good = good
			return found
		case errors.Is(bad.err, fs.ErrNotExist):
		case errors.Is(bad.err, errNoBrokers):
			found.refused = append(found.refused, *bad)
			return found
		default:
			found.refused = append(found.refused, *bad)
		}
	}
	return found
}

// gcOff is held by who has turned garbage collection off.
var gcOff sync.Mutex

// worthNoGC is the size of a file from which on it takes longer to look for garbage
// than to read: next to nothing of what is read becomes garbage. The memory limit
// holds all the same.
const worthNoGC = 1 << 20

// read returns what is in a file if it may be used, or else why not.
func (k *routeKeeper) read(file string) (*loaded, *refusedFile) {
	if info, err := os.Stat(file); err == nil && info.Size() > worthNoGC {
		gcOff.Lock()
		defer gcOff.Unlock()
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
	}
	if k.reading != nil {
		k.reading()
	}
	bad := &refusedFile{file: file}
	bad.header, bad.saved, bad.err = readSnapshot(file)
	if bad.err != nil {
		return nil, bad
	}
	age, err := k.accept(bad.header)
	if err == nil && len(bad.saved.Lives) == 0 {
		err = errNoBrokers
	}
	if err != nil {
		bad.err = err
		return nil, bad
	}
	table, err := route.Restore(k.s.routeOptions(), bad.saved, k.s.nowMillis(), age.Milliseconds())
	if err == nil {
		err = table.CheckInvariants()
	}
	if err != nil {
		bad.err = err
		return nil, bad
	}
	return &loaded{file, bad.header, bad.saved, age, table}, nil
}

// accept returns the age of a snapshot with such a header, or why it must not be
// used.
func (k *routeKeeper) accept(h *route.SnapshotHeader) (age time.Duration, err error) {
	if want := k.identity; h.Identity != want {
		return 0, &identityError{h.Identity, want}
	}
	age, ok := ageOf(&h.Stamp, k.moment())
	if !ok {
		return age, errAgeless
	}
	if age > k.maxAge {
		return age, &staleError{age, k.maxAge}
	}
	return age, nil
}

// load finds out what the server begins with, and sees to it that it does. Its error
// is that of ctx.
func (k *routeKeeper) load(ctx context.Context) error {
	began := k.now()
	if err := k.file.take(); refusalOf(err) != nil {
		k.s.log.Warn("snapshot of the routes is neither read nor written", "file", k.path, "err", remarkOf(err))
		k.inUse = true
		k.loaded(RouteLoadStats{Result: loadInUse, Why: remarkOf(err)})
		return nil
	} else if err != nil {
		k.failed("lock", err)
	}
	done := make(chan loading, 1)
	k.loadEnds = make(chan struct{})
	go func() {
		defer close(k.loadEnds)
		done <- k.find()
	}()
	limit := time.NewTimer(k.loadTime)
	defer limit.Stop()
	var found loading
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		k.s.log.Warn("starts without routes, reading their snapshot takes too long", "file", k.path, "limit", k.loadTime)
		k.loaded(RouteLoadStats{Result: loadAbandoned, Duration: k.now() - began})
		return nil
	case found = <-done:
	}
	result := k.use(found)
	result.Duration = k.now() - began
	k.loaded(result)
	k.logLoad(result)
	return nil
}

// use puts refused files aside, and what was found into the server's place.
func (k *routeKeeper) use(found loading) RouteLoadStats {
	for i := range found.refused {
		k.putAside(&found.refused[i])
	}
	good := found.good
	switch {
	case good == nil && len(found.refused) == 0:
		return RouteLoadStats{Result: loadNone}
	case good == nil:
		last := &found.refused[0]
		r := RouteLoadStats{Result: loadRefused, File: last.file, Why: clip(last.err.Error())}
		if errors.Is(last.err, errNoBrokers) {
			r.Result = loadEmpty
		}
		var stale *staleError
		if errors.As(last.err, &stale) {
			r.Age = stale.age
			k.expected = last.saved // whom to wait for, if not what to say
		}
		return r
	}
	v := good.table.View()
	r := RouteLoadStats{Result: loadRestored, File: good.file, Age: good.age, Brokers: v.LiveCount(), Topics: v.TopicCount()}
	if good.file == k.path {
		k.former, k.formerNumber = good.header.ProcessID, good.header.Stamp.Number
	}
	if k.mode == warmStartShadow {
		r.Result = loadShadow
		k.expected, k.shadow = good.saved, good.saved
		return r
	}
	k.s.useTable(good.table)
	k.open.Store(true)
	return r
}

// putAside renames a file that must not be used. It stays for people; if that is not
// possible, the next write makes it the backup.
func (k *routeKeeper) putAside(r *refusedFile) {
	if errors.Is(r.err, errNoBrokers) {
		return
	}
	attrs := []any{"file", r.file, "err", clip(r.err.Error())}
	if h := r.header; h != nil {
		attrs = append(attrs, "identity", clip(h.Identity), "host", clip(h.Hostname), "written", time.UnixMilli(h.WrittenMillis))
	}
	if !r.keep() && k.file.held != nil {
		if err := os.Rename(r.file, r.file+refusedSuffix); err == nil {
			attrs = append(attrs, "keptAs", r.file+refusedSuffix)
		}
	}
	k.s.log.Warn("snapshot of the routes refused", attrs...)
}

// logLoad says what the server begins with.
func (k *routeKeeper) logLoad(r RouteLoadStats) {
	attrs := []any{"file", r.File, "brokers", r.Brokers, "topics", r.Topics, "age", r.Age.Round(time.Millisecond), "took", r.Duration.Round(time.Microsecond)}
	switch r.Result {
	case loadRestored:
		k.s.log.Info("starts with the routes of its snapshot", attrs...)
	case loadShadow:
		k.s.log.Info("starts without routes, warmStart is shadow; its snapshot could be used", attrs...)
	case loadNone:
		k.s.log.Info("starts without routes, there is no snapshot of them", "file", k.path)
	default:
		k.s.log.Warn("starts without routes", "file", r.File, "why", r.Why)
	}
}

// useTable makes t the server's table. Before anybody is served.
func (s *Server) useTable(t *route.Table) {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	s.table = t
}
