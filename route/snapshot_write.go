package route

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"sync/atomic"

	"gonamesrv/codec"
)

// sectionSize is how much text goes into one section. It is deflated in one go.
const sectionSize = 16 << 10

// WriteSnapshot writes what v shows as a snapshot to w, in sections of some kilobytes,
// and returns how much that was. Edition and AtMillis of h it fills in itself; nowMillis
// is that of the Table's clock, as for Save.
//
// It takes no lock and needs memory for two sections, for the brokers, and 10 bytes for
// each topic. It calls between, if that is not nil, after every 100 µs or less, so that
// the caller may let others have the CPU, or give up: an error of between or w ends the
// writing and is returned.
func WriteSnapshot(w io.Writer, h *SnapshotHeader, v *View, nowMillis int64, between func() error) (SnapshotSize, error) {
	header := *h
	header.Edition, header.AtMillis = v.edition, nowMillis
	sw := newSnapshotWriter(w, between)
	defer sw.release()
	return sw.snapshot(&header, v)
}

// snapshot writes all of it.
func (w *snapshotWriter) snapshot(h *SnapshotHeader, v *View) (SnapshotSize, error) {
	w.head(h)
	s := v.saving(h.AtMillis, &w.pacer)
	for i := range s.Sets {
		w.set(&s.Sets[i])
	}
	for i := range s.Lives {
		w.live(&s.Lives[i])
	}
	var rows []SavedRow
	var mapped []SavedMapping
	for e := range v.topicsByNumber(&w.pacer) {
		rows = s.appendRows(rows[:0], e)
		if !w.did(savedTopic + e.queues.len()) {
			break
		}
		if len(rows) == 0 {
			continue
		}
		for _, m := range s.mappingsOf(e) {
			w.did(savedLink)
			mapped = append(mapped, SavedMapping{uint32(w.size.Topics), m.BrokerName, m.Info})
		}
		w.topic(e.name, rows)
	}
	for i := range mapped {
		w.did(savedLink)
		w.mapping(&mapped[i])
	}
	for _, o := range s.offers {
		w.did(savedLink)
		w.offer(o)
	}
	return w.end()
}

// spareDeflater is kept from one snapshot to the next, since it has a megabyte: nil
// while it is in use, and before the first. A sync.Pool would lose it with every garbage
// collection, and where the writer wakes up on another processor.
var spareDeflater atomic.Pointer[flate.Writer]

// A snapshotWriter writes a snapshot, record after record, kind after kind. After an
// error it does nothing more.
type snapshotWriter struct {
	pacer // with the error
	w     io.Writer
	size  SnapshotSize

	kind     byte
	plain    []byte // the text of kind so far, but for what has been written
	section  bytes.Buffer
	deflate  *flate.Writer
	sums     []byte // the crcs of all sections
	row      SavedRow
	lastRows []SavedRow // of the topic before
	lastText []byte     // and what was written of them
	topicNum uint32     // of the mapping before
}

func newSnapshotWriter(w io.Writer, between func() error) *snapshotWriter {
	deflate := spareDeflater.Swap(nil)
	if deflate == nil {
		deflate, _ = flate.NewWriter(nil, flate.BestSpeed) // the level is a right one
	}
	return &snapshotWriter{w: w, pacer: pacer{rest: between}, plain: make([]byte, 0, sectionSize+sectionSize/4), deflate: deflate}
}

// release gives back what is kept; w is not to be used any more.
func (w *snapshotWriter) release() {
	w.deflate.Reset(io.Discard)
	spareDeflater.Store(w.deflate)
	w.deflate = nil
}

func (w *snapshotWriter) head(h *SnapshotHeader) {
	var b []byte
	if b, w.err = h.appendHead(nil); w.err == nil {
		w.sums = append(w.sums, b[stampsAt-sectionTail:stampsAt]...)
		w.write(b)
	}
}

func (w *snapshotWriter) write(b []byte) {
	w.pause()
	if w.err == nil {
		_, w.err = w.w.Write(b)
		w.size.Bytes += int64(len(b))
		w.did(len(b) / bytesPerUnit)
	}
}

// begin begins a record of a kind.
func (w *snapshotWriter) begin(kind byte) {
	if w.kind != kind {
		w.flush()
		w.kind = kind
	}
}

// flush writes what there is of a kind: one section, or some more after a long
// string or a topic of many brokers.
func (w *snapshotWriter) flush() {
	for rest := w.plain; len(rest) > 0 && w.err == nil; {
		n := min(len(rest), sectionSize)
		w.emit(rest[:n])
		rest = rest[n:]
	}
	w.plain = w.plain[:0]
}

// emit writes a section of the given text.
func (w *snapshotWriter) emit(plain []byte) {
	w.size.PlainBytes += int64(len(plain))
	w.pause()
	b := &w.section
	b.Reset()
	b.Write([]byte{w.kind, deflatedSection, 0, 0, 0, 0})
	_ = binary.Write(b, binary.BigEndian, uint32(len(plain))) // a Buffer takes everything
	w.deflate.Reset(b)
	_, _ = w.deflate.Write(plain)
	_ = w.deflate.Close()
	w.did(len(plain) / plainPerUnit)
	if b.Len()-sectionHead >= len(plain) { // it is not worth it
		b.Truncate(sectionHead)
		b.Bytes()[1] = 0
		b.Write(plain)
	}
	w.finish()
}

// finish writes the section whose head and payload there are.
func (w *snapshotWriter) finish() {
	b := w.section.Bytes()
	binary.BigEndian.PutUint32(b[2:], uint32(len(b)-sectionHead))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	w.sums = append(w.sums, b[len(b)-sectionTail:]...)
	w.write(b)
}

// end writes what is left and the end section.
func (w *snapshotWriter) end() (SnapshotSize, error) {
	w.flush()
	n := &w.size
	w.section.Reset()
	w.section.Write([]byte{endKind, 0, 0, 0, 0, 0})
	for _, count := range []int64{n.Sets, n.Lives, n.Topics, n.Rows, n.Mappings, n.Offers, n.PlainBytes, int64(len(w.sums) / sectionTail)} {
		_ = binary.Write(&w.section, binary.BigEndian, count)
	}
	_ = binary.Write(&w.section, binary.BigEndian, crc32.Checksum(w.sums, castagnoli))
	w.finish()
	if w.err != nil {
		return SnapshotSize{}, w.err
	}
	return w.size, nil
}

// grown notes that the text has grown, and writes the section if it is long enough.
func (w *snapshotWriter) grown(plain []byte) {
	w.plain = plain
	if len(w.plain) >= sectionSize {
		w.flush()
	}
}

func (w *snapshotWriter) uint(n uint64) { w.grown(binary.AppendUvarint(w.plain, n)) }
func (w *snapshotWriter) int(n int64)   { w.grown(binary.AppendVarint(w.plain, n)) }
func (w *snapshotWriter) text(s string) { w.grown(appendText(w.plain, s)) }

// flags writes up to eight of them.
func (w *snapshotWriter) flags(flags ...bool) {
	b := byte(0)
	for i, set := range flags {
		if set {
			b |= 1 << i
		}
	}
	w.grown(append(w.plain, b))
}

func (w *snapshotWriter) set(set *SavedSet) {
	w.begin(setsKind)
	w.size.Sets++
	w.text(set.Name)
	w.text(set.Cluster)
	w.uint(uint64(len(set.Members)))
	for i := range set.Members {
		m := &set.Members[i]
		w.int(m.ID)
		w.text(m.Addr)
		w.flags(m.EnableActingMaster, m.HasZoneName)
		if m.HasZoneName {
			w.text(m.ZoneName)
		}
		w.uint(uint64(len(m.FilterServers)))
		for _, f := range m.FilterServers {
			w.text(f)
		}
		w.uint(uint64(len(m.Lives)))
		for _, l := range m.Lives {
			w.uint(uint64(l))
		}
	}
}

func (w *snapshotWriter) live(l *SavedLive) {
	w.begin(livesKind)
	w.size.Lives++
	w.text(l.Cluster)
	w.text(l.Addr)
	w.text(l.HAServerAddr)
	w.dataVersion(l.DataVersion)
	w.flags(l.NullDataVersion, l.Untrusted, l.OldVersion, l.Confirmed, l.DataVersion.NoCounter)
	w.int(l.TimeoutMillis)
	w.uint(uint64(l.SilentMillis))
	w.uint(uint64(l.IntervalMillis))
	peer, _ := l.Peer.MarshalBinary() // never fails
	w.text(string(peer))
}

func (w *snapshotWriter) dataVersion(v codec.DataVersion) {
	w.int(v.StateVersion)
	w.int(v.Timestamp)
	w.int(v.Counter)
}

// topic writes a topic with its rows, of which there are some. Those of most topics
// are those of the topic before.
func (w *snapshotWriter) topic(name string, rows []SavedRow) {
	w.begin(topicsKind)
	w.size.Topics++
	w.size.Rows += int64(len(rows))
	w.text(name)
	w.uint(uint64(len(rows)))
	if rows[0].Offer == w.row.Offer && slices.Equal(rows, w.lastRows) {
		w.grown(append(w.plain, w.lastText...))
		return
	}
	w.lastRows = append(w.lastRows[:0], rows...)
	w.lastText = w.lastText[:0]
	next := uint32(0)
	for _, r := range rows {
		passed := uint64(r.Set-next) * 2
		next = r.Set + 1
		if r.Offer == w.row.Offer {
			w.lastText = binary.AppendUvarint(w.lastText, passed)
			continue
		}
		w.lastText = binary.AppendUvarint(w.lastText, passed+1)
		w.lastText = binary.AppendUvarint(w.lastText, uint64(r.Offer))
		w.row = r
	}
	w.grown(append(w.plain, w.lastText...))
}

func (w *snapshotWriter) mapping(m *SavedMapping) {
	w.begin(mappingsKind)
	w.size.Mappings++
	w.uint(uint64(m.Topic - w.topicNum))
	w.topicNum = m.Topic
	w.text(m.BrokerName)
	w.text(m.Info.Topic)
	w.text(m.Info.Scope)
	w.int(int64(m.Info.TotalQueues))
	w.int(m.Info.Epoch)
	w.flags(m.Info.Dirty, m.Info.CurrIDMap == nil)
	w.uint(uint64(len(m.Info.CurrIDMap)))
	for _, q := range m.Info.CurrIDMap {
		w.int(int64(q.Logic))
		w.int(int64(q.Physical))
	}
}

func (w *snapshotWriter) offer(o SavedOffer) {
	w.begin(offersKind)
	w.size.Offers++
	for _, n := range []int32{o.ReadQueueNums, o.WriteQueueNums, o.Perm, o.TopicSysFlag} {
		w.int(int64(n))
	}
}
