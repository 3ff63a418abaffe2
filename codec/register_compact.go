package codec

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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

// An inflater inflates a zlib stream, some KiB at a time. So a body that inflates
// to many times its size costs only the memory for what is kept of it. An inflater
// is used again for other bodies.
type inflater struct {
	src bytes.Reader
	zr  io.ReadCloser
	buf []byte // of the pieces
}

var inflaters = sync.Pool{New: func() any { return &inflater{buf: make([]byte, inflateStep)} }}

const inflateStep = 16 << 10

// inflate decodes the compact form in the zlib stream body, which may inflate to
// limit bytes. It reads the stream to its end, because the checksum is there.
func (b *RegisterBrokerBody) inflate(body []byte, withMappings bool, nowMillis int64, limit int) error {
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
		return zlibError(&f.src, err)
	}
	s := pieces{src: f.zr, buf: f.buf, limit: limit, memory: &b.memory}
	err = b.decodePieces(&s, withMappings, nowMillis)
	if err == nil {
		s.drain()
	}
	switch {
	case s.srcErr == nil:
		return err
	case errors.Is(s.srcErr, ErrInflatedTooLarge):
		return s.srcErr
	}
	return zlibError(&f.src, s.srcErr)
}

func zlibError(src *bytes.Reader, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.ErrUnexpectedEOF
	}
	return &BodyError{Body: "RegisterBrokerBody", Offset: int(src.Size()) - src.Len(), Reason: err.Error()}
}

// decodePieces reads the inflated form: pieces with a length before each.
//
//	int32 length, DataVersion as JSON
//	int32 count of topics, each: int32 length, "name read write perm filterType [attributes]"
//	int32 length, filter servers as a JSON array
//	int32 count of mappings, each: int32 length, TopicQueueMappingInfo as JSON (since 5.0.0)
//
// It carries neither sys flag nor order of a topic. Bytes behind it are ignored. A
// count allocates nothing, because that many pieces may never come.
// Java: RegisterBrokerBody#decode.
func (b *RegisterBrokerBody) decodePieces(s *pieces, withMappings bool, nowMillis int64) error {
	dv := s.next()
	if s.err == nil {
		var err error
		if b.DataVersion, b.NullDataVersion, err = decodeDataVersion(dv, nowMillis, s.memory); err != nil {
			return err
		}
	}
	for n := s.count(); n > 0 && s.err == nil; n-- {
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
		var ok, kept bool
		b.Topics, ok = roomFor(s.memory, b.Topics, 0, 0)
		t.Name, kept = b.names.keep(s.memory, t.Name)
		if !ok || !kept {
			s.fail("no memory")
			break
		}
		t.Key = t.Name
		b.Topics = append(b.Topics, t)
	}
	b.readCompactFilterServers(s)
	if withMappings {
		for n := s.count(); n > 0 && s.err == nil; n-- {
			var r jsonReader
			var m RegisteredMapping
			r.begin(s.next())
			r.memory = s.memory
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
			var ok bool
			if b.Mappings, ok = roomFor(s.memory, b.Mappings, 0, 0); !ok {
				s.fail("no memory")
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
func (b *RegisterBrokerBody) readCompactFilterServers(s *pieces) {
	var r jsonReader
	r.begin(s.next())
	r.memory = s.memory
	if r.peek() == 0 && r.i == len(r.b) {
		b.FilterServersNull = true
		return
	}
	b.readFilterServers(&r)
	r.end()
	if s.memory.refused {
		s.fail("no memory")
	}
	if r.err != nil {
		b.FilterServers, b.FilterServersNull = b.FilterServers[:0], false
	}
}

// pieces cuts a compact body while it is read. The first failure sticks.
type pieces struct {
	src    io.Reader
	buf    []byte // what was read is in buf[i:end]
	i, end int
	read   int // bytes read so far
	limit  int // of them
	memory *memory
	err    *syntaxError
	srcErr error // why no more can be read, io.EOF not counted
}

func (s *pieces) fail(reason string) {
	if s.err == nil {
		s.err = &syntaxError{offset: s.read - (s.end - s.i), reason: reason}
	}
}

// window returns the next n bytes, which are borrowed until the next call. The
// buffer grows with what has come, not with n.
func (s *pieces) window(n int) []byte {
	for s.err == nil && s.end-s.i < n {
		switch {
		case s.end < len(s.buf):
		case s.i > 0:
			s.end = copy(s.buf, s.buf[s.i:s.end])
			s.i = 0
		default:
			size := min(2*len(s.buf), max(n, len(s.buf)+1))
			if !s.memory.take(size) {
				s.fail("no memory")
				return nil
			}
			s.buf = append(make([]byte, 0, size), s.buf...)[:size]
		}
		if !s.fill() {
			s.fail("unexpected end")
		}
	}
	if s.err != nil {
		return nil
	}
	p := s.buf[s.i : s.i+n : s.i+n]
	s.i += n
	return p
}

// fill reads something into the free end of the buffer; it reports false when
// there is nothing more.
func (s *pieces) fill() bool {
	for {
		n, err := s.src.Read(s.buf[s.end:])
		s.end += n
		s.read += n
		switch {
		case s.read > s.limit:
			s.srcErr = fmt.Errorf("%w: limit %d bytes", ErrInflatedTooLarge, s.limit)
			return false
		case err != nil && err != io.EOF:
			s.srcErr = err
			return false
		case n > 0:
			return true
		case err == io.EOF:
			return false
		}
	}
}

// drain reads what is left.
func (s *pieces) drain() {
	for more := true; more; more = s.fill() {
		s.i, s.end = 0, 0
	}
}

func (s *pieces) int32() int {
	b := s.window(4)
	if b == nil {
		return 0
	}
	return int(int32(binary.BigEndian.Uint32(b)))
}

// next returns the next piece, which is borrowed until the one after it.
func (s *pieces) next() []byte {
	n := s.int32()
	if n < 0 || n > s.limit {
		s.fail("length " + strconv.Itoa(n) + " out of range")
	}
	return s.window(n)
}

// count returns how many pieces are said to follow.
func (s *pieces) count() int {
	n := s.int32()
	if n < 0 {
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
