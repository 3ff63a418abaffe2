package route

import (
	"encoding/binary"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"gonamesrv/codec"
)

// A Digest says in two numbers what readers of a View are shown: those of two servers
// are equal if they show the same, whatever the order in which they have learnt it, and
// differ if they do not, but for one chance in 2^64. So whoever has many name servers
// need not compare tables to know whether they agree.
//
// Each number is the XOR of one XXH64 for each cell (digesting says of what bytes), so
// that the order does not matter and a change costs what has changed. What is restored
// and not yet confirmed counts as what it is shown as. Not content are the ages of
// brokers, their data versions and connections, what each reader is shown otherwise
// (acting masters, horizons, zones, order configurations), and everything that is no
// route.
//
// A digest is a checksum and no proof: a broker that means to can make two tables of
// one digest.
type Digest struct {
	Brokers uint64 // of brokerAddrTable, clusterAddrTable and filterServerTable
	Topics  uint64 // of topicQueueTable and topicQueueMappingInfoTable
}

// Digest returns the digest of the View. The first call of a Table looks at everything,
// 0.2 s for a million topics; later ones, whoever makes them, look at what has changed
// since: the nodes of a trie remember their shares. While topics of brokers that have just
// gone are still being removed, each call looks at all topics. It lets others run in
// between, takes no lock, and is not for event loops.
func (v *View) Digest() Digest {
	d := digesting{view: v}
	return Digest{
		Brokers: digestOf(&d, v.brokers.byName.root, d.brokers) ^ digestOf(&d, v.brokers.listings.root, d.listings),
		Topics:  digestOf(&d, v.topics.root, d.everyRow) ^ d.goneRows(),
	}
}

// TopicDigests divides the topics by a hash of their names, the same in all servers,
// into so many buckets, 1 to MaxDigestBuckets, and returns the digest of each: where two
// servers differ, the buckets say where to look. The XOR of all is Digest.Topics. It
// looks at all topics each time. Not for event loops.
func (v *View) TopicDigests(buckets int) []uint64 {
	sums := make([]uint64, clampBuckets(buckets))
	d := digesting{view: v}
	for topics := range d.topics {
		for _, s := range topics {
			sums[d.bucket(s.e, len(sums))] ^= d.rows(s.e, true, false)
		}
	}
	return sums
}

// A TopicDigest is a topic with its share of the digest of its bucket.
type TopicDigest struct {
	Name string
	Sum  uint64
}

// TopicsOfBuckets returns the topics in some of the buckets of TopicDigests, in ascending
// order of name. It looks at all topics each time. Not for event loops.
func (v *View) TopicsOfBuckets(buckets int, only ...int) (topics []TopicDigest) {
	buckets = clampBuckets(buckets)
	wanted := make([]bool, buckets)
	for _, n := range only {
		if n >= 0 && n < buckets {
			wanted[n] = true
		}
	}
	d := digesting{view: v}
	for bucket := range d.topics {
		for _, s := range bucket {
			if wanted[d.bucket(s.e, buckets)] && (!v.sweeping || v.serves(s.e)) {
				topics = append(topics, TopicDigest{s.e.name, d.rows(s.e, true, false)})
			}
			d.pause()
		}
	}
	slices.SortFunc(topics, func(a, b TopicDigest) int { return strings.Compare(a.Name, b.Name) })
	return topics
}

// MaxDigestBuckets is into how many buckets TopicDigests divides topics at most.
const MaxDigestBuckets = 1 << 16

func clampBuckets(n int) int { return min(max(n, 1), MaxDigestBuckets) }

// A trieSums is what the digests of a node are made of. It never changes.
type trieSums struct {
	edition  uint64           // of the node whose sums these are
	all      uint64           // XOR of all elements below
	byBucket [trieWays]uint64 // of those in the bucket of each way; of no use where there is none
}

// inherit makes n, a copy of old that does not differ from it yet, remember what is
// known of the buckets that both share.
func (n *trieNode[E]) inherit(s *trieSums, old *trieNode[E]) {
	n.sums.Store(s)
	if s.edition != old.edition { // old has inherited it too
		n.stale = old.stale | old.owned
	}
}

// digestOf returns the XOR of cells over all buckets below n, which may be nil. A
// published node never changes, so what one reader has computed all may use: cells
// depends on nothing but the elements, and on what cannot change while a node has them.
func digestOf[E keyed](d *digesting, n *trieNode[E], cells func([]trieSlot[E]) uint64) uint64 {
	if n == nil {
		return 0
	}
	known := n.sums.Load()
	changed := n.owned | n.stale
	switch {
	case known == nil:
		known, changed = &trieSums{}, ^uint32(0)
	case known.edition == n.edition:
		return known.all
	}
	sums := &trieSums{edition: n.edition}
	for i, way := range n.ways {
		switch {
		case n.lens[i] == 0:
			sums.all ^= digestOf(d, (*trieNode[E])(way), cells)
			continue
		case changed&(1<<i) == 0:
			sums.byBucket[i] = known.byBucket[i]
		default:
			sums.byBucket[i] = cells(n.bucket(i))
		}
		sums.all ^= sums.byBucket[i]
	}
	n.sums.Store(sums)
	return sums.all
}

// A digesting is one computation of digests: the cells of a View, as bytes and hashed.
//
//	queue data  hash of the topic, hash of the broker name; with 4 bytes each
//	            readQueueNums writeQueueNums perm topicSysFlag
//	with a static mapping instead
//	            "M" topic, hash of the queue data, scope bname totalQueues epoch dirty,
//	            0 where currIdMap is null, else 1 and both numbers of each pair
//	broker set  "B" cluster name enableActingMaster, 0 where it has no zone, else 1 zone
//	member      "A" cluster name id address filter servers
//	listing     "C" cluster name
//
// A text is its length and its bytes. A number, and a length, has 8 bytes unless it says
// otherwise, the lowest first. Releases must agree on all this: TestDigestGolden.
type digesting struct {
	view  *View
	buf   []byte // of the cell at hand
	count int    // cells since the last pause

	fetched uint32 // so that fetch is not left out
}

// pause lets others run after each 1,000 cells.
func (d *digesting) pause() {
	if d.count++; d.count == 1000 {
		d.count = 0
		runtime.Gosched()
	}
}

func (d *digesting) begin(kind byte, texts ...string) {
	d.buf = append(d.buf[:0], kind)
	for _, s := range texts {
		d.text(s)
	}
}

func (d *digesting) text(s string) {
	d.number(int64(len(s)))
	d.buf = append(d.buf, s...)
}

func (d *digesting) number(n int64) { d.buf = binary.LittleEndian.AppendUint64(d.buf, uint64(n)) }

func (d *digesting) flag(is bool) {
	if is {
		d.number(1)
	} else {
		d.number(0)
	}
}

func (d *digesting) sum() uint64 { return xxHash64(d.buf) }

// bucket returns which of so many buckets a topic is in.
func (d *digesting) bucket(e *TopicEntry, buckets int) int {
	return int(xxHash64(text(e.name)) % uint64(buckets))
}

// text returns the bytes of s, which must not be changed.
func text(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// topics yields all topics of the View, bucket by bucket.
func (d *digesting) topics(yield func([]trieSlot[*TopicEntry]) bool) {
	d.view.topics.root.buckets(func(b []trieSlot[*TopicEntry]) bool {
		d.fetch(b)
		return yield(b)
	})
}

// buckets calls yield for each bucket below n, which may be nil, until it returns false.
func (n *trieNode[E]) buckets(yield func([]trieSlot[E]) bool) bool {
	if n == nil {
		return true
	}
	for i, way := range n.ways {
		switch {
		case n.lens[i] > 0:
			if !yield(n.bucket(i)) {
				return false
			}
		case way != nil && !(*trieNode[E])(way).buckets(yield):
			return false
		}
	}
	return true
}

// fetch reads a word of each entry, and then a byte of each name: these lie all over the
// memory, and so the waits for them overlap. BenchmarkDigest.
func (d *digesting) fetch(b []trieSlot[*TopicEntry]) {
	for _, s := range b {
		d.fetched += s.e.id
	}
	for _, s := range b {
		if len(s.e.name) > 0 {
			d.fetched += uint32(s.e.name[0])
		}
	}
}

// everyRow returns the XOR of the cells of topics, with those of broker sets that are
// gone: as long as there is a row of a set it keeps its number and its name, so it is
// the same for all Views that have the bucket.
func (d *digesting) everyRow(topics []trieSlot[*TopicEntry]) (sum uint64) {
	d.fetch(topics)
	for _, s := range topics {
		sum ^= d.rows(s.e, true, true)
	}
	return sum
}

// goneRows returns the XOR of the cells that everyRow has and nobody is shown.
func (d *digesting) goneRows() (sum uint64) {
	if !d.view.sweeping {
		return 0
	}
	for topics := range d.topics {
		for _, s := range topics {
			sum ^= d.rows(s.e, false, true)
		}
	}
	return sum
}

// rows returns the XOR of the cells of a topic that are shown, that are gone, or both.
func (d *digesting) rows(e *TopicEntry, shown, gone bool) (sum uint64) {
	topic := xxHash64(text(e.name))
	for q := range e.queues.all {
		b := d.view.brokers.byID.get(q.set)
		if b.gone && !gone || !b.gone && !shown {
			continue
		}
		queues := uint64(uint32(q.readQueueNums)) | uint64(uint32(q.writeQueueNums))<<32
		access := uint64(uint32(q.perm)) | uint64(uint32(q.topicSysFlag))<<32
		cell := xxHashWords(topic, b.set.hash, queues, access)
		if e.mappings != nil {
			if i, ok := e.mappings.find(b.Name); ok {
				cell = d.mapping(cell, &e.mappings.byBroker[i].Info)
			}
		}
		sum ^= cell
		d.pause()
	}
	return sum
}

// mapping returns the cell of a queue data with a static mapping.
func (d *digesting) mapping(cell uint64, m *codec.TopicQueueMappingInfo) uint64 {
	d.begin('M', m.Topic)
	d.number(int64(cell))
	d.text(m.Scope)
	d.text(m.Bname)
	d.number(int64(m.TotalQueues))
	d.number(m.Epoch)
	d.flag(m.Dirty)
	d.flag(m.CurrIDMap != nil)
	for _, q := range m.CurrIDMap {
		d.number(int64(q.Logic))
		d.number(int64(q.Physical))
	}
	return d.sum()
}

func (d *digesting) brokers(bucket []trieSlot[*Broker]) (sum uint64) {
	for _, s := range bucket {
		sum ^= d.broker(s.e)
	}
	return sum
}

func (d *digesting) broker(b *Broker) uint64 {
	d.begin('B', b.Cluster, b.Name)
	d.pause()
	d.flag(b.EnableActingMaster)
	d.flag(b.HasZoneName)
	if b.HasZoneName {
		d.text(b.ZoneName)
	}
	sum := d.sum()
	for m := range b.members.all {
		d.begin('A', b.Cluster, b.Name)
		d.number(m.ID)
		d.text(m.Addr)
		for _, s := range m.FilterServers {
			d.text(s)
		}
		sum ^= d.sum()
	}
	return sum
}

func (d *digesting) listings(bucket []trieSlot[*listing]) (sum uint64) {
	for _, s := range bucket {
		d.begin('C', s.e.cluster, s.e.brokerName)
		sum ^= d.sum()
		d.pause()
	}
	return sum
}
