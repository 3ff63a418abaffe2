package route

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net/netip"
	"strings"

	"gonamesrv/codec"
)

// DefaultSnapshotBytes is how much text a snapshot may have for ReadSnapshot if its
// caller does not say: that of some forty million topics.
const DefaultSnapshotBytes = 1 << 30

// minimum is how few bytes of text a record of a kind takes. A count that does not
// fit what is there is found before anything is made for it.
var minimum = map[byte]int64{setsKind: 12, livesKind: 13, topicsKind: 3, mappingsKind: 9, offersKind: 4}

// ReadSnapshot returns what a snapshot says. mostBytes is how much text it may have
// once inflated, 0 is DefaultSnapshotBytes. The values are valid in themselves
// (Saved.Validate); whether they are too old, or another server's, or too many, is for
// the caller to say. b may be used again afterwards. The strings are windows into the
// text of their kind: who keeps one keeps that.
//
// The errors are ErrNotSnapshot, *SnapshotVersionError, *SnapshotDamageError and
// *SnapshotSizeError. With any of them nothing is returned. It allocates the text
// once and, for any input, at most 32 bytes more for each byte of it; for the tables of
// real brokers about as much again.
func ReadSnapshot(b []byte, mostBytes int64) (*SnapshotHeader, *Saved, error) {
	h, err := ReadSnapshotHeader(b)
	if err != nil {
		return nil, nil, err
	}
	if mostBytes <= 0 {
		mostBytes = DefaultSnapshotBytes
	}
	r := &snapshotReader{header: h, texts: map[byte]*sectionText{}}
	if err := r.sections(b); err != nil {
		return nil, nil, err
	}
	if r.size.PlainBytes > mostBytes {
		return nil, nil, &SnapshotSizeError{r.size.PlainBytes, mostBytes}
	}
	if err := r.inflate(); err != nil {
		return nil, nil, err
	}
	s, err := r.saved()
	if err != nil {
		return nil, nil, err
	}
	return h, s, nil
}

// A snapshotReader reads a snapshot: first all sections, to see that they are whole,
// then what they say.
type snapshotReader struct {
	header *SnapshotHeader
	texts  map[byte]*sectionText // by kind
	size   SnapshotSize          // what the end section says
}

// A sectionText is the text of a kind.
type sectionText struct {
	parts []sectionPart
	bytes int64 // once inflated
	plain []byte
}

// A sectionPart is the payload of one section.
type sectionPart struct {
	section  int
	offset   int64
	deflated bool
	bytes    int // once inflated
	payload  []byte
}

// sections finds all sections of b, whose head is right, and sees that their crcs
// and lengths are.
func (r *snapshotReader) sections(b []byte) error {
	var sums []byte
	sums = append(sums, b[stampsAt-sectionTail:stampsAt]...)
	plain := int64(0)
	at := SnapshotHeadSize
	for section := 1; ; section++ {
		damaged := func(format string, args ...any) error {
			return &SnapshotDamageError{section, int64(at), fmt.Sprintf(format, args...)}
		}
		rest := b[at:]
		if len(rest) < sectionHead+sectionTail {
			return damaged("it ends before its end section")
		}
		kind, flags, length := rest[0], rest[1], int(binary.BigEndian.Uint32(rest[2:]))
		if length > maxSection {
			return damaged("a section of %d bytes, at most %d", length, maxSection)
		}
		if len(rest) < sectionHead+length+sectionTail {
			return damaged("it ends in the middle of a section")
		}
		whole := rest[:sectionHead+length+sectionTail]
		if !endsInSum(whole) {
			return damaged("wrong crc")
		}
		payload := whole[sectionHead : sectionHead+length]
		if kind == endKind {
			if len(rest) > len(whole) {
				return damaged("%d bytes behind the end section", len(rest)-len(whole))
			}
			if problem := r.end(flags, payload, sums, plain); problem != "" {
				return damaged("%s", problem)
			}
			return nil
		}
		sums = append(sums, whole[len(whole)-sectionTail:]...)
		if _, known := minimum[kind]; known {
			part := sectionPart{section, int64(at), flags == deflatedSection, length, payload}
			if problem := part.measure(flags); problem != "" {
				return damaged("%s", problem)
			}
			t := r.texts[kind]
			if t == nil {
				t = &sectionText{}
				r.texts[kind] = t
			}
			t.parts = append(t.parts, part)
			t.bytes += int64(part.bytes)
			plain += int64(part.bytes)
		} else if kind >= headerKind {
			return &SnapshotVersionError{r.header.Major, r.header.Minor, kind}
		}
		at += len(whole)
	}
}

// maxDeflation is more than what deflate makes of one byte.
const maxDeflation = 1040

// measure sees how long the text of p is.
func (p *sectionPart) measure(flags byte) (problem string) {
	if flags&^deflatedSection != 0 {
		return fmt.Sprintf("unknown flags %#x", flags)
	}
	if !p.deflated {
		return ""
	}
	if len(p.payload) < 4 {
		return "no length of what is deflated"
	}
	n := binary.BigEndian.Uint32(p.payload)
	p.payload = p.payload[4:]
	if n > maxSection || int(n) > len(p.payload)*maxDeflation {
		return fmt.Sprintf("%d bytes are said to be in %d deflated ones", n, len(p.payload))
	}
	p.bytes = int(n)
	return ""
}

// end reads the end section, behind sections of which sums are the crcs and plain
// is the length of the text.
func (r *snapshotReader) end(flags byte, payload, sums []byte, plain int64) (problem string) {
	var counts [8]int64
	if flags != 0 || len(payload) != len(counts)*8+4 {
		return fmt.Sprintf("an end section of %d bytes", len(payload))
	}
	for i := range counts {
		counts[i] = int64(binary.BigEndian.Uint64(payload[8*i:]))
	}
	if counts[7] != int64(len(sums)/sectionTail) || binary.BigEndian.Uint32(payload[len(counts)*8:]) != crc32.Checksum(sums, castagnoli) {
		return "sections are missing, or not in order"
	}
	r.size = SnapshotSize{Sets: counts[0], Lives: counts[1], Topics: counts[2], Rows: counts[3], Mappings: counts[4], Offers: counts[5], PlainBytes: counts[6]}
	if plain != r.size.PlainBytes {
		return fmt.Sprintf("%d bytes of text, %d are said to be there", plain, r.size.PlainBytes)
	}
	for kind, n := range map[byte]int64{
		setsKind: r.size.Sets, livesKind: r.size.Lives, topicsKind: r.size.Topics, mappingsKind: r.size.Mappings, offersKind: r.size.Offers,
	} {
		if t := r.texts[kind]; n < 0 || n > 0 && (t == nil || n > t.bytes/minimum[kind]) {
			return fmt.Sprintf("%d records of kind %d are said to be there", n, kind)
		}
	}
	if n := r.size.Rows; n < 0 || n > 0 && n > r.texts[topicsKind].bytesOrNone()-2*r.size.Topics {
		return fmt.Sprintf("%d rows are said to be there", n)
	}
	return ""
}

func (t *sectionText) bytesOrNone() int64 {
	if t == nil {
		return 0
	}
	return t.bytes
}

// inflate makes the texts whole.
func (r *snapshotReader) inflate() error {
	from := bytes.NewReader(nil)
	inflater := flate.NewReader(from)
	for _, t := range r.texts {
		t.plain = make([]byte, t.bytes)
		into := t.plain
		for i := range t.parts {
			p := &t.parts[i]
			piece := into[:p.bytes]
			into = into[p.bytes:]
			if !p.deflated {
				copy(piece, p.payload)
				continue
			}
			from.Reset(p.payload)
			_ = inflater.(flate.Resetter).Reset(from, nil) // only a bad dictionary fails
			if _, err := io.ReadFull(inflater, piece); err != nil {
				return &SnapshotDamageError{p.section, p.offset, "what is deflated cannot be inflated"}
			}
			if n, err := inflater.Read(make([]byte, 1)); n != 0 || err != io.EOF || from.Len() > 0 {
				return &SnapshotDamageError{p.section, p.offset, "more is deflated than is said to be"}
			}
		}
		t.parts = nil
	}
	return nil
}

// text returns the text of a kind to be read.
func (r *snapshotReader) text(kind byte) *plainText {
	if t := r.texts[kind]; t != nil {
		return &plainText{b: t.plain}
	}
	return &plainText{}
}

// saved reads all texts.
func (r *snapshotReader) saved() (*Saved, error) {
	s := &Saved{AtMillis: r.header.AtMillis, Edition: r.header.Edition}
	for _, part := range []struct {
		kind byte
		read func(t *plainText, s *Saved, n *SnapshotSize)
	}{
		{setsKind, readSets},
		{livesKind, readLives},
		{topicsKind, readTopics},
		{mappingsKind, readMappings},
		{offersKind, readOffers},
	} {
		t := r.text(part.kind)
		part.read(t, s, &r.size)
		if t.bad || len(t.b) > 0 {
			return nil, &SnapshotDamageError{-1, -1, fmt.Sprintf("the text of kind %d cannot be read, %d bytes before its end", part.kind, len(t.b))}
		}
	}
	if int64(len(s.Rows)) != r.size.Rows {
		return nil, &SnapshotDamageError{-1, -1, fmt.Sprintf("%d rows, %d are said to be there", len(s.Rows), r.size.Rows)}
	}
	if err := s.Validate(); err != nil {
		return nil, &SnapshotDamageError{-1, -1, strings.TrimPrefix(err.Error(), "route: ")}
	}
	return s, nil
}

// someOf returns n zeros, nil if that is none.
func someOf[T any, N int | int64](n N) []T {
	if n == 0 {
		return nil
	}
	return make([]T, n)
}

func readSets(t *plainText, s *Saved, n *SnapshotSize) {
	s.Sets = someOf[SavedSet](n.Sets)
	for i := range s.Sets {
		set := &s.Sets[i]
		set.Name, set.Cluster = t.text(maxNameLength), t.text(maxNameLength)
		set.Members = someOf[SavedMember](t.count(7))
		for j := range set.Members {
			m := &set.Members[j]
			m.ID, m.Addr = t.int(math.MinInt64, math.MaxInt64), t.text(maxAddrLength)
			flags := t.flags(2)
			m.EnableActingMaster, m.HasZoneName = flags&1 != 0, flags&2 != 0
			if m.HasZoneName {
				m.ZoneName = t.text(maxNameLength)
			}
			m.FilterServers = someOf[string](t.count(1))
			for k := range m.FilterServers {
				m.FilterServers[k] = t.text(maxAddrLength)
			}
			m.Lives = someOf[uint32](t.count(1))
			for k := range m.Lives {
				m.Lives[k] = uint32(t.uint(math.MaxUint32))
			}
			if t.bad {
				return
			}
		}
	}
}

func readLives(t *plainText, s *Saved, n *SnapshotSize) {
	s.Lives = someOf[SavedLive](n.Lives)
	for i := range s.Lives {
		l := &s.Lives[i]
		l.Cluster, l.Addr, l.HAServerAddr = t.text(maxNameLength), t.text(maxAddrLength), t.text(maxAddrLength)
		v := &l.DataVersion
		for _, field := range []*int64{&v.StateVersion, &v.Timestamp, &v.Counter} {
			*field = t.int(math.MinInt64, math.MaxInt64)
		}
		flags := t.flags(5)
		l.NullDataVersion, l.Untrusted, l.OldVersion = flags&1 != 0, flags&2 != 0, flags&4 != 0
		l.Confirmed, v.NoCounter = flags&8 != 0, flags&16 != 0
		l.TimeoutMillis = t.int(math.MinInt64, math.MaxInt64)
		l.SilentMillis, l.IntervalMillis = int64(t.uint(math.MaxInt64)), int64(t.uint(math.MaxInt64))
		peer := t.text(maxPeerLength)
		var err error
		if l.Peer, err = readPeer(peer); err != nil {
			t.bad = true
		}
		if t.bad {
			return
		}
	}
}

// maxPeerLength is an IPv6 address with a zone.
const maxPeerLength = 16 + maxNameLength

func readPeer(b string) (a netip.Addr, err error) {
	if len(b) > 0 {
		err = a.UnmarshalBinary([]byte(b))
	}
	return a, err
}

func readTopics(t *plainText, s *Saved, n *SnapshotSize) {
	s.Topics = someOf[SavedTopic](n.Topics)
	s.Rows = someOf[SavedRow](n.Rows)[:0]
	offer := uint32(0)
	for i := range s.Topics {
		topic := &s.Topics[i]
		topic.Name = t.text(maxTopicLength)
		topic.Rows = t.count(1)
		if t.bad || topic.Rows > cap(s.Rows)-len(s.Rows) {
			t.bad = true
			return
		}
		next := uint64(0)
		for range topic.Rows {
			passed := t.uint(math.MaxUint32)
			if passed&1 != 0 {
				offer = uint32(t.uint(math.MaxUint32))
			}
			next += passed / 2
			if next > math.MaxUint32 {
				t.bad = true
				return
			}
			s.Rows = append(s.Rows, SavedRow{uint32(next), offer})
			next++
		}
	}
}

func readMappings(t *plainText, s *Saved, n *SnapshotSize) {
	s.Mappings = someOf[SavedMapping](n.Mappings)
	topic := uint64(0)
	for i := range s.Mappings {
		m := &s.Mappings[i]
		topic += t.uint(math.MaxUint32)
		if topic > math.MaxUint32 {
			t.bad = true
		}
		m.Topic, m.BrokerName = uint32(topic), t.text(maxNameLength)
		info := &m.Info
		info.Bname, info.Topic, info.Scope = m.BrokerName, t.text(maxTopicLength), t.text(maxNameLength)
		info.TotalQueues, info.Epoch = t.int32(), t.int(math.MinInt64, math.MaxInt64)
		flags := t.flags(2)
		info.Dirty = flags&1 != 0
		queues := t.count(2)
		if flags&2 == 0 {
			info.CurrIDMap = make([]codec.QueueID, queues)
		} else if queues > 0 {
			t.bad = true
		}
		for j := range info.CurrIDMap {
			info.CurrIDMap[j] = codec.QueueID{Logic: t.int32(), Physical: t.int32()}
		}
		if t.bad {
			return
		}
	}
}

func readOffers(t *plainText, s *Saved, n *SnapshotSize) {
	s.Offers = someOf[SavedOffer](n.Offers)
	for i := range s.Offers {
		s.Offers[i] = SavedOffer{t.int32(), t.int32(), t.int32(), t.int32()}
	}
}

// A plainText is a text that is being read. Once something is bad, it says nothing
// but zeros.
type plainText struct {
	b   []byte
	bad bool
}

// take returns the next n bytes, nil if there are not so many.
func (t *plainText) take(n int) []byte {
	if t.bad || n > len(t.b) {
		t.bad = true
		return nil
	}
	b := t.b[:n]
	t.b = t.b[n:]
	return b
}

func (t *plainText) uint(most uint64) uint64 {
	if !t.bad && len(t.b) > 0 && t.b[0] < 0x80 {
		n := t.b[0]
		t.b = t.b[1:]
		if uint64(n) > most {
			t.bad = true
			return 0
		}
		return uint64(n)
	}
	n, size := binary.Uvarint(t.b)
	if t.bad || size <= 0 || n > most {
		t.bad = true
		return 0
	}
	t.b = t.b[size:]
	return n
}

func (t *plainText) int(least, most int64) int64 {
	n, size := binary.Varint(t.b)
	if t.bad || size <= 0 || n < least || n > most {
		t.bad = true
		return 0
	}
	t.b = t.b[size:]
	return n
}

func (t *plainText) int32() int32 { return int32(t.int(math.MinInt32, math.MaxInt32)) }

// count returns how many things follow, each of which takes so many bytes at least.
func (t *plainText) count(bytes int) int {
	n := t.uint(math.MaxUint64)
	if n > uint64(len(t.b)/bytes) {
		t.bad = true
		return 0
	}
	return int(n)
}

// text returns a string of at most so many bytes, which is a window into the text.
func (t *plainText) text(most int) string {
	n := t.uint(uint64(most))
	return window(t.take(int(n)))
}

// flags returns a byte of which only the lowest n bits may be set.
func (t *plainText) flags(n int) byte {
	b := t.take(1)
	if b == nil || b[0]>>n != 0 {
		t.bad = true
		return 0
	}
	return b[0]
}
