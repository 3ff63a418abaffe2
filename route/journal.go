package route

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	// DefaultJournalSize is how many events a Journal keeps if it is not told.
	DefaultJournalSize = 16_384

	// MaxRead is how many events are read at a time.
	MaxRead = 1_000

	// chunkEvents is how many events are kept, and let go of, together.
	chunkEvents = 128

	// eventBytes is how many bytes there are for an event that is kept. Few events take
	// as many, and the longest could take twelve times that.
	eventBytes = 1 << 10
)

// A Journal is what happened, in its order: the newest JournalEvents, numbered. The
// events of a Table get number and place in the middle of the change, under the
// Table's lock, so their order is that of the changes; they can be read once a
// View is published that shows them, whose Seq is then no smaller than theirs.
//
// Seq and Edition: an Edition numbers what readers see and a Seq what has happened, so
// a View shows all that events up to its Seq say, and what changes no table (a refused
// request, a note of the server) has a Seq and makes no View.
//
// An event takes 200 bytes and its details; at most 12 KiB, as its texts are cut and
// its lists short. Where all are long fewer are kept, so that a Journal stays within its
// bytes, and 1.5 MB for the newest 128 besides. Readers take no lock and hold nobody up.
// Safe from any goroutine.
type Journal struct {
	size   int                             // in chunks
	most   int64                           // bytes
	bytes  atomic.Int64                    // that are kept; stored under mu
	shown  atomic.Uint64                   // the newest that may be read
	given  atomic.Uint64                   // the newest there is; stored under mu
	chunks atomic.Pointer[[]*journalChunk] // oldest first; replaced under mu, never changed
	counts [journalTypes]atomic.Uint64     // by type, since the start
	lost   atomic.Uint64                   // refusals that were left out

	mu       sync.Mutex // held for a few dozen instructions
	last     *journalChunk
	unshown  bool // a Table has made some that no View shows yet
	refusals refusalLimit

	watchers subscribers
}

// A journalChunk holds neighbours. An event is written once, before it is shown.
type journalChunk struct {
	first  uint64 // Seq of events[0]
	bytes  int64  // that the chunk and its events take; under mu
	events [chunkEvents]JournalEvent
}

// NewJournal returns an empty Journal that keeps so many events at least, and 128
// more at most, as long as these take no more than 1 KiB each; 0 is DefaultJournalSize.
func NewJournal(size int) *Journal { return NewJournalWithin(size, math.MaxInt64) }

// NewJournalWithin is NewJournal for a Journal that may take so many bytes at most, if
// that is less.
func NewJournalWithin(size int, bytes int64) *Journal {
	if size <= 0 {
		size = DefaultJournalSize
	}
	chunks := (size+chunkEvents-1)/chunkEvents + 1
	j := &Journal{size: chunks, most: min(bytes, int64(chunks)*chunkEvents*eventBytes)}
	j.chunks.Store(&[]*journalChunk{})
	return j
}

// Newest returns the number of the newest event, 0 if there is none.
func (j *Journal) Newest() uint64 { return j.shown.Load() }

// Oldest returns the number of the oldest event that is still there, or 1.
func (j *Journal) Oldest() uint64 {
	if chunks := *j.chunks.Load(); len(chunks) > 0 {
		return chunks[0].first
	}
	return 1
}

// A GoneError says that events were asked for that are not kept any more.
type GoneError struct{ After, Oldest uint64 }

func (e *GoneError) Error() string {
	return fmt.Sprintf("route: events after %d are gone, the oldest is %d", e.After, e.Oldest)
}

// Read returns up to limit events that come after since and fit f, oldest first, and
// the number to go on from: all up to it were looked at. limit is MaxRead at most, and
// if it is 0. since 0 begins with the oldest event there is; any other number whose next
// event is gone is a *GoneError. The events are copies; what they point to is shared.
func (j *Journal) Read(since uint64, f *JournalFilter, limit int) (events []JournalEvent, next uint64, err error) {
	newest, oldest, chunks := j.window()
	if since == 0 {
		since = oldest - 1
	}
	if since+1 < oldest {
		return nil, since, &GoneError{since, oldest}
	}
	if limit <= 0 || limit > MaxRead {
		limit = MaxRead
	}
	if f == nil && next < newest {
		events = make([]JournalEvent, 0, min(uint64(limit), newest-since))
	}
	for next = since; next < newest && len(events) < limit; {
		next++
		if e := at(chunks, next); f.fits(e) {
			events = append(events, e.read())
		}
	}
	return events, next, nil
}

// Last returns the newest events that fit f, at most limit, oldest first. limit is as in
// Read.
func (j *Journal) Last(f *JournalFilter, limit int) []JournalEvent {
	newest, oldest, chunks := j.window()
	if limit <= 0 || limit > MaxRead {
		limit = MaxRead
	}
	var events []JournalEvent
	for seq := newest; seq >= oldest && len(events) < limit; seq-- {
		if e := at(chunks, seq); f.fits(e) {
			events = append(events, e.read())
		}
	}
	for a, b := 0, len(events)-1; a < b; a, b = a+1, b-1 {
		events[a], events[b] = events[b], events[a]
	}
	return events
}

// window returns which events can be read, and where they are.
func (j *Journal) window() (newest, oldest uint64, chunks []*journalChunk) {
	newest = j.shown.Load() // before the chunks: they have it then, or have let go of it
	chunks = *j.chunks.Load()
	if len(chunks) == 0 {
		return 0, 1, nil
	}
	return newest, chunks[0].first, chunks
}

// at returns the event with a number that the chunks have.
func at(chunks []*journalChunk, seq uint64) *JournalEvent {
	n := seq - chunks[0].first
	return &chunks[n/chunkEvents].events[n%chunkEvents]
}

var noDetails EventDetails

// read returns the event as readers are given it.
func (e *JournalEvent) read() JournalEvent {
	r := *e
	if r.Details == nil {
		r.Details = &noDetails
	}
	return r
}

// Watch returns a channel on which there is something to receive whenever there are new
// events since the last receive, or since Watch. It is for a few parts of the process,
// as is Table.Subscribe, of which all that is said holds here too.
func (j *Journal) Watch() (changed <-chan struct{}, cancel func(), err error) {
	return j.watchers.subscribe()
}

// Note adds an event that no Table makes, and returns its number. Seq is not for the
// caller to fill in. It takes a lock that is held for a few dozen instructions, so
// event loops may call it.
//
// Refusals are bounded, for anybody can cause them: 64 at once, and then one in ten
// seconds, broker.refused and admin.refused together. Of one that is beyond that Note
// returns 0, and the next one says in Count how many there were.
func (j *Journal) Note(e JournalEvent) uint64 {
	seq := j.add(&e, false)
	j.watchers.signal()
	return seq
}

// add gives e its number and its place, and leaves it to the Journal. One of a Table is
// shown by show.
func (j *Journal) add(e *JournalEvent, ofTable bool) uint64 {
	e.cutAll()
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Type.isRefusal() && !j.allow(e) {
		return 0
	}
	e.Seq = j.given.Load() + 1
	if j.last == nil || e.Seq-j.last.first == chunkEvents {
		j.extend(e.Seq)
	}
	j.last.events[e.Seq-j.last.first] = *e
	j.count(j.last, e.held())
	for chunks := *j.chunks.Load(); j.bytes.Load() > j.most && len(chunks) > 1; chunks = *j.chunks.Load() {
		j.drop(chunks[0])
		chunks = slices.Clone(chunks[1:]) // the array would keep what is let go of
		j.chunks.Store(&chunks)
	}
	j.given.Store(e.Seq)
	j.counts[e.Type].Add(1)
	j.unshown = j.unshown || ofTable
	if !j.unshown {
		j.shown.Store(e.Seq)
	}
	return e.Seq
}

// extend adds a chunk, and lets go of the oldest if there are enough. Under mu.
func (j *Journal) extend(first uint64) {
	j.last = &journalChunk{first: first}
	old := *j.chunks.Load()
	if len(old) == j.size {
		j.drop(old[0])
		old = old[1:]
	}
	chunks := append(old[:len(old):len(old)], j.last)
	j.chunks.Store(&chunks)
	j.count(j.last, int64(unsafe.Sizeof(*j.last)))
}

// count notes that a chunk takes so many bytes more. Under mu.
func (j *Journal) count(c *journalChunk, bytes int64) {
	c.bytes += bytes
	j.bytes.Add(bytes)
}

// drop notes that a chunk is let go of. Under mu.
func (j *Journal) drop(c *journalChunk) { j.bytes.Add(-c.bytes) }

// show lets everybody read what a Table has added.
func (j *Journal) show() {
	j.mu.Lock()
	j.unshown = false
	j.shown.Store(j.given.Load())
	j.mu.Unlock()
	j.watchers.signal()
}

// The bound of refusals: a stranger who sends them for a day takes about half of a
// ring of the default size.
const (
	refusalsAtOnce = 64
	refusalMillis  = 10_000
)

// A refusalLimit lets so many refusals in. Under Journal.mu.
type refusalLimit struct {
	begun bool
	since int64 // up to when what may come was counted
	room  int64
	out   int64 // left out since the last one
}

// allow reports whether a refusal may be added. Under mu.
func (j *Journal) allow(e *JournalEvent) bool {
	l := &j.refusals
	if !l.begun || e.AtMillis < l.since { // at first, or the wall clock was put back
		if !l.begun {
			l.room = refusalsAtOnce
		}
		l.begun, l.since = true, e.AtMillis
	}
	if n := (e.AtMillis - l.since) / refusalMillis; n > 0 {
		l.room = min(l.room+n, refusalsAtOnce)
		l.since += n * refusalMillis
	}
	if l.room == 0 {
		l.out++
		j.lost.Add(1)
		return false
	}
	l.room--
	if l.out > 0 {
		d := EventDetails{}
		if e.Details != nil {
			d = *e.Details
		}
		d.Count, l.out = l.out, 0
		e.Details = &d
	}
	return true
}

// A JournalStats shows a Journal. All numbers are exact by themselves.
type JournalStats struct {
	Newest, Oldest uint64 // numbers of events
	Kept           int    // events that can be read
	Size           int    // events that are kept at least, if they take no more than MaxBytes
	Bytes          int64  // that they take, those included that they share with the tables
	MaxBytes       int64
	LeftOut        uint64             // refusals for which there was no room
	Types          []JournalTypeStats // each type, always in the same order
}

// A JournalTypeStats is how many events of a type there were since the start.
type JournalTypeStats struct {
	Type  string
	Count uint64
}

// Stats returns the counters. It takes no lock.
func (j *Journal) Stats() JournalStats {
	newest, oldest := j.Newest(), j.Oldest()
	s := JournalStats{Newest: newest, Oldest: oldest, Size: (j.size - 1) * chunkEvents, Bytes: j.bytes.Load(), MaxBytes: j.most, LeftOut: j.lost.Load()}
	if newest >= oldest {
		s.Kept = int(newest - oldest + 1)
	}
	for t := range journalTypes {
		s.Types = append(s.Types, JournalTypeStats{t.String(), j.counts[t].Load()})
	}
	return s
}
