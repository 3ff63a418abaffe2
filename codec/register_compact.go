package codec

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
)

// MaxInflatedBody bounds, in bytes, what a compressed body may inflate to. A
// broker with a million topics sends about fifty million.
const MaxInflatedBody = 64 << 20

// isZlib reports whether b starts like a zlib stream with the usual window
// size: a first byte of 78 hex and a header whose check bits are right.
func isZlib(b []byte) bool {
	return len(b) > 2 && b[0] == 0x78 && (uint(b[0])<<8|uint(b[1]))%31 == 0 && b[1]&0x20 == 0
}

// An inflater is a zlib reader and what it reads from, kept between bodies.
type inflater struct {
	src bytes.Reader
	zr  io.ReadCloser
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// inflate appends to dst[:0] what the zlib stream body holds. dst grows with
// what has really been inflated, never by what the stream announces.
func inflate(dst, body []byte) ([]byte, error) { return inflateUpTo(dst, body, MaxInflatedBody) }

func inflateUpTo(dst, body []byte, limit int) ([]byte, error) {
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	f.src.Reset(body)
	defer f.src.Reset(nil)
	var err error
	if f.zr == nil {
		f.zr, err = zlib.NewReader(&f.src)
	} else {
		err = f.zr.(zlib.Resetter).Reset(&f.src, nil)
	}
	if err != nil {
		return dst[:0], zlibError(&f.src, err)
	}
	dst = dst[:0]
	if need := min(4*len(body), limit); cap(dst) < need {
		dst = make([]byte, 0, need)
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := f.zr.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst) > limit {
			return dst[:0], fmt.Errorf("%w: limit %d bytes", ErrInflatedTooLarge, limit)
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst[:0], zlibError(&f.src, err)
		}
	}
}

func zlibError(src *bytes.Reader, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.ErrUnexpectedEOF
	}
	return &BodyError{Body: "RegisterBrokerBody", Offset: int(src.Size()) - src.Len(), Reason: err.Error()}
}

// compactMinTopic is the smallest piece a topic can be: a length and
// "x 1 1 6 MULTI_TAG" with its shortest name, which is empty.
const compactMinTopic = 4 + len(" 1 1 6 MULTI_TAG")

// decodeCompact reads the inflated form: pieces with a length before each.
//
//	int32 length, DataVersion as JSON
//	int32 count of topics, each: int32 length, "name read write perm filterType [attributes]"
//	int32 length, filter servers as a JSON array
//	int32 count of mappings, each: int32 length, TopicQueueMappingInfo as JSON (since 5.0.0)
//
// It carries neither sys flag nor order of a topic. What follows is ignored.
// Java: RegisterBrokerBody#decode.
func (b *RegisterBrokerBody) decodeCompact(p []byte, withMappings bool, nowMillis int64) error {
	s := pieces{b: p}
	dv := s.next()
	if s.err == nil {
		var err error
		if b.DataVersion, b.NullDataVersion, err = DecodeDataVersion(dv, nowMillis); err != nil {
			return err
		}
	}
	n := s.count(compactMinTopic)
	b.Topics = slices.Grow(b.Topics, min(n, maxEntries))
	for ; n > 0 && s.err == nil; n-- {
		line := s.next()
		if s.err != nil {
			break
		}
		var t TopicConfig
		if !t.readLine(line) {
			s.fail("not a topic config: " + quoteStart(line))
			break
		}
		if len(b.Topics) == maxEntries {
			s.fail("too many topics")
			break
		}
		b.Topics = append(b.Topics, t)
	}
	b.readCompactFilterServers(s.next())
	if withMappings {
		for n := s.count(4 + len("{}")); n > 0 && s.err == nil; n-- {
			var r jsonReader
			var m RegisteredMapping
			r.begin(s.next())
			r.queueMapping(&m.Info)
			r.end()
			if r.err != nil || m.Info.Topic == "" { // Java: null is no key in a ConcurrentHashMap
				s.fail("not a TopicQueueMappingInfo with a topic")
				break
			}
			if len(b.Mappings) == maxEntries {
				s.fail("too many mappings")
				break
			}
			m.Key = m.Info.Topic
			b.Mappings = append(b.Mappings, m)
		}
	}
	if s.err != nil {
		return s.err.inBody("RegisterBrokerBody")
	}
	b.dropTwins()
	return nil
}

// readCompactFilterServers reads the list of filter servers. What is not one
// counts as empty; null and no text at all as null.
func (b *RegisterBrokerBody) readCompactFilterServers(list []byte) {
	var r jsonReader
	r.begin(list)
	if r.peek() == 0 && r.i == len(list) {
		b.FilterServersNull = true
		return
	}
	b.readFilterServers(&r)
	r.end()
	if r.err != nil {
		b.FilterServers, b.FilterServersNull = b.FilterServers[:0], false
	}
}

// pieces cuts a compact body. The first failure sticks.
type pieces struct {
	b   []byte
	i   int
	err *syntaxError
}

func (s *pieces) fail(reason string) {
	if s.err == nil {
		s.err = &syntaxError{offset: s.i, reason: reason}
	}
}

func (s *pieces) int32() int {
	if s.err != nil || len(s.b)-s.i < 4 {
		s.fail("unexpected end")
		return 0
	}
	v := int(int32(binary.BigEndian.Uint32(s.b[s.i:])))
	s.i += 4
	return v
}

// next returns the next piece, a window.
func (s *pieces) next() []byte {
	n := s.int32()
	if n < 0 || n > len(s.b)-s.i {
		s.fail("length " + strconv.Itoa(n) + " out of range")
	}
	if s.err != nil {
		return nil
	}
	p := s.b[s.i : s.i+n : s.i+n]
	s.i += n
	return p
}

// count returns how many pieces of at least size bytes follow.
func (s *pieces) count(size int) int {
	n := s.int32()
	if n < 0 || n > (len(s.b)-s.i)/size {
		s.fail("count " + strconv.Itoa(n) + " out of range")
		return 0
	}
	return n
}

// quoteStart returns what a message may show of bytes from the network.
func quoteStart(b []byte) string {
	const limit = 64
	if len(b) > limit {
		return strconv.Quote(string(b[:limit])) + "..."
	}
	return strconv.Quote(string(b))
}
