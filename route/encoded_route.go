package route

import (
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"gonamesrv/codec"
)

// A RouteForm is in which of its forms a route is wanted. Its bytes are
// borrowed.
type RouteForm struct {
	Dialect codec.Dialect
	// Acting shows a slave as master where the master is lost (the configuration
	// key supportActingMaster).
	Acting bool
	// InZone takes the broker sets of other zones than Zone out (FilterByZone).
	InZone bool
	Zone   []byte // not empty
	// HasOrderTopicConf adds OrderTopicConf.
	HasOrderTopicConf bool
	OrderTopicConf    string

	horizon *Horizon // whose clients are told of it; nil is the common one
}

// A formKind is the part of a RouteForm that is no text.
type formKind uint8

const (
	formStrict formKind = 1 << iota // codec.DialectStrict
	formActing
	formInZone
	formOrdered
)

func (f *RouteForm) kind() formKind {
	k := formKind(f.Dialect) & formStrict
	if f.Acting {
		k |= formActing
	}
	if f.InZone {
		k |= formInZone
	}
	if f.HasOrderTopicConf {
		k |= formOrdered
	}
	return k
}

func (f *RouteForm) horizonNumber() uint32 {
	if f.horizon == nil {
		return 0
	}
	return f.horizon.number
}

// An encodedRoute is one encoded answer, together with all that a reader needs
// to know of it, in one piece of memory: what follows the head are the bytes of
// the topic's name, the zone, the order configuration and the body. A reader
// waits for the first line of it and for little else, however many topics there
// are. It holds no pointer, so the collector does not look into it either.
//
// Everything but the atomic numbers never changes.
type encodedRoute struct {
	// until is the edition of the first View in which the topic has another entry;
	// forever while there is none; 0 when nobody is to use the route. Whoever takes
	// the route out of TopicEntry.bodies sets it: before that, or, where the entry is
	// retired, before the next View is published.
	until atomic.Uint64
	// stamp is the newest brokerTable.version it is known to be right for. It
	// stays right as long as no broker set of the topic changes.
	stamp atomic.Uint64
	since uint64 // the edition of the View it was made from
	body  uint32 // how many bytes; as the next two
	name  uint16
	zone  uint8 // the name of a zone that a broker of the topic is in; 0 when it is another one
	kind  formKind
	order uint32
	// horizon is the number of the Horizon it is for, 0 of the common one. Such a route
	// is not in the index. Its body is the reason where there is no answer.
	horizon uint32
	// given is 1 once somebody has been given the route for whom it was not made, and 0
	// again when SweepBodies has come by.
	given atomic.Uint32
}

const (
	encodedHead = unsafe.Sizeof(encodedRoute{})
	forever     = math.MaxUint64
)

// canKeep reports whether the lengths of a route fit its head. Names that are
// kept do (limits.go), unless somebody has raised the limits very far.
func canKeep(name, zone, conf string, body []byte) bool {
	return len(name) <= math.MaxUint16 && len(zone) <= math.MaxUint8 && len(conf) <= math.MaxInt32 && len(body) <= math.MaxInt32
}

func newEncodedRoute(since, stamp uint64, kind formKind, name, zone, conf string, body []byte) *encodedRoute {
	size := int(encodedHead) + len(name) + len(zone) + len(conf) + len(body)
	words := (size + 7) / 8
	if len(body) == 0 {
		words++ // or what is empty would lie behind the memory, where something else may be
	}
	memory := make([]uint64, words)
	r := (*encodedRoute)(unsafe.Pointer(unsafe.SliceData(memory)))
	r.until.Store(forever)
	r.stamp.Store(stamp)
	r.since, r.kind = since, kind
	r.name, r.zone, r.order, r.body = uint16(len(name)), uint8(len(zone)), uint32(len(conf)), uint32(len(body))
	b := unsafe.Slice((*byte)(unsafe.Pointer(r)), size)[encodedHead:encodedHead]
	_ = append(append(append(append(b, name...), zone...), conf...), body...) // in place: it has room for all
	return r
}

// bytes returns n bytes from the given one behind the head on.
func (r *encodedRoute) bytes(from, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(r), int(encodedHead)+from)), n)
}

func (r *encodedRoute) nameText() string { return window(r.bytes(0, int(r.name))) }

func (r *encodedRoute) zoneText() string { return window(r.bytes(int(r.name), int(r.zone))) }

func (r *encodedRoute) orderText() string {
	return window(r.bytes(int(r.name)+int(r.zone), int(r.order)))
}

func (r *encodedRoute) bodyBytes() []byte {
	return slices.Clip(r.bytes(int(r.name)+int(r.zone)+int(r.order), int(r.body)))
}

// size returns the bytes that r counts for, with what is kept beside it: one
// bodyList, and a slot in the index, of which about half are empty.
func (r *encodedRoute) size() int64 {
	return int64(encodedHead) + int64(r.name) + int64(r.zone) + int64(r.order) + int64(r.body) + 40
}

// give returns the body, for somebody who has asked for it. It writes at most once between
// two sweeps, so that readers on several processors do not wait for each other.
func (r *encodedRoute) give() []byte {
	if r.given.Load() == 0 {
		r.given.Store(1)
	}
	return r.bodyBytes()
}

// isDead reports whether nobody may use r, or nobody will before long.
func (r *encodedRoute) isDead() bool { return r.until.Load() != forever }

// kill keeps everybody from using r.
func (r *encodedRoute) kill() { r.until.Store(0) }

// answers reports whether r is the route of the given name in the form f, whose
// kind is k, for a zone that is written as the broker writes it.
func (r *encodedRoute) answers(name string, f *RouteForm, k formKind) bool {
	if r.kind != k || r.nameText() != name {
		return false
	}
	return (k&formInZone == 0 || r.zoneText() == window(f.Zone)) && (k&formOrdered == 0 || r.orderText() == f.OrderTopicConf)
}

// isLike reports whether r takes the place of other in a list.
func (r *encodedRoute) isLike(other *encodedRoute) bool {
	return r.kind == other.kind && r.horizon == other.horizon && r.zoneText() == other.zoneText() && r.orderText() == other.orderText()
}

// A bodyList holds the encoded routes of one TopicEntry, the newest first. It
// never changes; another route makes another list.
type bodyList struct {
	route *encodedRoute
	next  *bodyList
}

// all calls yield for each route. l may be nil.
func (l *bodyList) all(yield func(*encodedRoute) bool) {
	for ; l != nil && l != retired; l = l.next {
		if !yield(l.route) {
			return
		}
	}
}

// size returns the bytes that l counts for, those of horizons apart. l may be nil.
func (l *bodyList) size() (bytes, ofHorizons int64) {
	for r := range l.all {
		if r.horizon == 0 {
			bytes += r.size()
		} else {
			ofHorizons += r.size()
		}
	}
	return bytes, ofHorizons
}

// retired stands in an entry that has been replaced or removed: nothing more is
// kept with it.
var retired = new(bodyList)

// maxVariants is how many routes filtered by zone, or with an order
// configuration, are kept of one topic: those that were made last. Zones that
// no broker of the topic is in share one, so that whoever invents them pushes
// nothing out.
const maxVariants = 4

func (k formKind) isVariant() bool { return k&(formInZone|formOrdered) != 0 }

// Route returns the encoded route of a topic, and whether there is one. The
// bytes are shared by all readers and never change; the name is borrowed.
//
// It is Topic and RouteIn of the same View, but in the usual case it looks
// neither at the trie nor at the entry: the Table's cache has an index of its
// own (body_index.go). What the index finds may have been made for an older or a
// later View. It tells for which Views it is right, and Route uses it for no other.
func (v *View) Route(name []byte, f *RouteForm) ([]byte, bool) {
	h := v.topics.hash(window(name))
	if r := v.cache.index.get(h, window(name), f); r != nil && v.shows(r) {
		return r.give(), true
	}
	e, ok := v.topic(h, name)
	if !ok {
		return nil, false
	}
	return v.RouteIn(e, f), true
}

// shows reports whether r, which was found by name, is what v says of its topic,
// as far as can be told without looking at the topic's broker sets.
func (v *View) shows(r *encodedRoute) bool {
	return r.since <= v.edition && v.edition < r.until.Load() && v.brokers.version <= r.stamp.Load()
}

// RouteIn returns the encoded route of a topic of this View in the given form.
// The bytes are shared by all readers and never change.
//
// The first reader of a form encodes it; all others get the same bytes, at the
// price of one comparison as long as no broker set has changed at all since,
// and of one per broker of the topic else. What finds no room in the Table's
// cache is encoded each time.
func (v *View) RouteIn(e *TopicEntry, f *RouteForm) []byte {
	old := e.bodies.Load()
	if r := v.find(e, old, f); r != nil {
		if r.horizon == 0 {
			v.cache.index.put(r)
		}
		return r.give()
	}
	zone := ""
	if f.InZone {
		zone = v.zoneOf(e, f.Zone)
	}
	conf := ""
	if f.HasOrderTopicConf {
		conf = f.OrderTopicConf
	}
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	var s *sight
	if f.horizon != nil {
		s = &sight{h: f.horizon}
	}
	body := v.encodeRoute((*scratch)[:0], e, f, s)
	v.cache.encoded[f.kind()&formStrict].Add(1)
	if s != nil {
		s.count()
	}
	if cap(body) <= maxScratch {
		*scratch = body
	}
	if !canKeep(e.name, zone, conf, body) {
		v.cache.misfits.Add(1)
		return slices.Clone(body)
	}
	r := newEncodedRoute(v.edition, v.brokers.version, f.kind(), e.name, zone, conf, body)
	r.horizon = f.horizonNumber()
	v.keep(e, old, r) // lost to another reader: its bodies are as good
	return r.bodyBytes()
}

// encodeRoute appends the route of a topic of this View in the given form. Where s is not
// nil it is rewritten, and may be the reason why there is no answer.
func (v *View) encodeRoute(dst []byte, e *TopicEntry, f *RouteForm, s *sight) []byte {
	data := v.PickupTopicRouteData(e, f.Acting)
	if f.InZone {
		FilterByZone(&data, window(f.Zone))
	}
	if f.HasOrderTopicConf {
		data.OrderTopicConf, data.HasOrderTopicConf = f.OrderTopicConf, true
	}
	if s != nil && !v.rewriteRoute(s, &data) {
		return append(dst, s.refused...)
	}
	return data.AppendJSON(dst, f.Dialect)
}

// scratches are what routes are encoded into before they get memory of their
// size.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

const maxScratch = 64 << 10

// find returns the route of e that is kept in the form f and right for v, nil if
// there is none.
func (v *View) find(e *TopicEntry, l *bodyList, f *RouteForm) *encodedRoute {
	k, horizon := f.kind(), f.horizonNumber()
	unknown := false // the zone, to all brokers of the topic
	if f.InZone && l != nil {
		unknown = v.zoneOf(e, f.Zone) == ""
	}
	for r := range l.all {
		if r.kind != k || r.horizon != horizon || v.edition >= r.until.Load() || f.HasOrderTopicConf && r.orderText() != f.OrderTopicConf {
			continue
		}
		if f.InZone {
			if r.zone == 0 != unknown || r.zone > 0 && !strings.EqualFold(r.zoneText(), window(f.Zone)) {
				continue
			}
		}
		if v.stillRight(e, r) {
			return r
		}
	}
	return nil
}

// zoneOf returns a zone as a broker of the topic writes it, empty if none is in
// it.
func (v *View) zoneOf(e *TopicEntry, zone []byte) string {
	for q := range e.queues.all {
		b := v.brokers.byID.get(q.set)
		if b.HasZoneName && strings.EqualFold(b.ZoneName, window(zone)) {
			return b.ZoneName
		}
	}
	return ""
}

// stillRight reports whether a route encoded from e shows its broker sets as v
// knows them. Routes of a later View than v count as right: that View had been
// published before they were made.
func (v *View) stillRight(e *TopicEntry, r *encodedRoute) bool {
	stamp := r.stamp.Load()
	if v.brokers.version <= stamp {
		return true
	}
	for q := range e.queues.all {
		if v.brokers.byID.get(q.set).version > stamp {
			return false
		}
	}
	r.stamp.CompareAndSwap(stamp, v.brokers.version)
	return true
}
