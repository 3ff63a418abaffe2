package codec

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// compactText is a compact body with everything in it.
func compactText() []byte {
	return compactOf(`{"counter":1,"timestamp":2}`, 2, []string{"A 1 2 6 SINGLE_TAG {}", "B 3 4 2 MULTI_TAG"},
		`["f:1","f:2"]`, `{"topic":"A","bname":"b","currIdMap":{0:1}}`)
}

// TestPiecesFromAnyReader: a body means the same however its bytes come, and
// however small the buffer is at first.
func TestPiecesFromAnyReader(t *testing.T) {
	var b RegisterBrokerBody
	if err := b.decodeCompact(compactText(), true, nowMillis); err != nil {
		t.Fatal(err)
	}
	want := showBody(&b)
	for name, slow := range map[string]func(io.Reader) io.Reader{
		"all at once":          func(r io.Reader) io.Reader { return r },
		"byte by byte":         iotest.OneByteReader,
		"half of what is due":  iotest.HalfReader,
		"the end with a piece": iotest.DataErrReader,
		"nothing now and then": func(r io.Reader) io.Reader { return &lazyReader{r: r} },
	} {
		for _, size := range []int{1, 2, 5, 64, inflateStep} {
			var b RegisterBrokerBody
			b.reset(nowMillis)
			s := pieces{src: slow(bytes.NewReader(compactText())), buf: make([]byte, size), limit: len(compactText()), memory: &b.memory}
			if err := b.decodePieces(&s, true, nowMillis); err != nil || showBody(&b) != want || s.srcErr != nil {
				t.Errorf("%s, buffer of %d: %v, %v, got\n%s\nwant\n%s", name, size, err, s.srcErr, showBody(&b), want)
			}
		}
	}
}

// A lazyReader gives nothing at every other call, as a Reader may.
type lazyReader struct {
	r    io.Reader
	lazy bool
}

func (l *lazyReader) Read(p []byte) (int, error) {
	if l.lazy = !l.lazy; l.lazy {
		return 0, nil
	}
	return l.r.Read(p[:min(len(p), 3)])
}

// TestPiecesOfABrokenReader: why no more can be read is told, and nothing is
// taken for the end of the body that is not.
func TestPiecesOfABrokenReader(t *testing.T) {
	broken := errors.New("broken")
	whole := compactText()
	for n := range whole {
		var b RegisterBrokerBody
		s := pieces{
			src: io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken)),
			buf: make([]byte, 8), limit: len(whole), memory: &b.memory,
		}
		if err := b.decodePieces(&s, true, nowMillis); err == nil || !errors.Is(s.srcErr, broken) {
			t.Errorf("broken after %d bytes: %v, %v", n, err, s.srcErr)
		}
	}
}

// TestPiecesLimit: not one byte more than the limit is taken, wherever it is.
func TestPiecesLimit(t *testing.T) {
	whole := compactText()
	for limit := range len(whole) + 2 {
		var b RegisterBrokerBody
		err := b.inflate(Compress(nil, whole), true, nowMillis, limit)
		if limit < len(whole) && err == nil {
			t.Errorf("limit of %d for %d bytes: no error", limit, len(whole))
		}
		if limit >= len(whole) && err != nil {
			t.Errorf("limit of %d for %d bytes: %v", limit, len(whole), err)
		}
	}
}

// TestPiecesWindows: a window cannot be appended to in place: the next piece
// stands behind it.
func TestPiecesWindows(t *testing.T) {
	s := pieces{src: strings.NewReader("\x00\x00\x00\x03one\x00\x00\x00\x03two"), buf: make([]byte, 64), limit: 64, memory: &memory{}}
	one := s.next()
	if string(one) != "one" || cap(one) != 3 {
		t.Errorf("got %q with room for %d", one, cap(one))
	}
	if two := s.next(); string(two) != "two" || s.err != nil {
		t.Errorf("got %q, %v", two, s.err)
	}
	if more := s.next(); more != nil || s.err == nil || s.err.offset != 14 {
		t.Errorf("behind the end: %q, %v", more, s.err)
	}
	first := *s.err
	if s.fail("something else"); *s.err != first || s.count() != 0 || s.window(0) != nil {
		t.Errorf("goes on after the failure: %v", s.err)
	}
}

// TestIsZlib: a body is inflated if it looks compressed, since 5.x brokers do
// not say so. No JSON starts with an x.
func TestIsZlib(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want bool
	}{
		{"\x78\x01\x00", true}, // level 1
		{"\x78\x5e\x00", true},
		{"\x78\x9c\x00", true}, // the default
		{"\x78\xda\x00", true}, // level 9, what Java sends
		{"\x78\x9c", false},    // no more than a header
		{"\x78", false},
		{"", false},
		{"\x78\x9d\x00", false}, // wrong check bits
		{"\x78\xbb\x00", false}, // asks for a dictionary
		{"\x68\x81\x00", false}, // another window
		{"{}}", false},
		{"x:1", false},
	} {
		if got := isZlib([]byte(tt.in)); got != tt.want {
			t.Errorf("% x: got %t", tt.in, got)
		}
	}
	for level := zlib.HuffmanOnly; level <= zlib.BestCompression; level++ {
		var b bytes.Buffer
		w, err := zlib.NewWriterLevel(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(compactText())
		w.Close()
		var body RegisterBrokerBody
		if err := body.Decode(b.Bytes(), Version, false, nowMillis); err != nil || len(body.Topics) != 2 {
			t.Errorf("level %d, not announced: %v, %d topics", level, err, len(body.Topics))
		}
	}
}

// TestVersionsOfABody: which class a body is of depends on the request's version.
// Java: DefaultRequestProcessor#registerBroker, RegisterBrokerBody#decode.
func TestVersionsOfABody(t *testing.T) {
	withTopic := RegisterBrokerBody{Topics: []TopicConfig{{Name: []byte("T"), Key: []byte("T"), Perm: 6}}, FilterServers: []string{"f"}}
	withMapping := withTopic
	withMapping.Mappings = []RegisteredMapping{{Key: "T", Info: TopicQueueMappingInfo{Topic: "T"}}}
	compact := Compress(nil, withMapping.AppendCompact(nil, V5_0_0))
	for _, tt := range []struct {
		version                  int32
		body                     []byte
		compressed               bool
		topics, mappings, filter int // filter -1 means that the list is left alone
	}{
		{0, withTopic.AppendWrapperJSON(nil), false, 1, 0, -1},
		{36, withMapping.AppendWrapperJSON(nil), false, 1, 0, -1},
		{37, withMapping.AppendJSON(nil), false, 1, 1, 1},
		{412, withMapping.AppendJSON(nil), false, 1, 1, 1},
		{412, compact, true, 1, 0, 1},
		{413, compact, true, 1, 1, 1},
		{612, compact, true, 1, 1, 1},
		{613, compact, true, 1, 1, 1},
		{1<<31 - 1, compact, false, 1, 1, 1},
	} {
		var b RegisterBrokerBody
		err := b.Decode(tt.body, tt.version, tt.compressed, nowMillis)
		filter := len(b.FilterServers)
		if b.FilterServersNull {
			filter = -1
		}
		if err != nil || len(b.Topics) != tt.topics || len(b.Mappings) != tt.mappings || filter != tt.filter {
			t.Errorf("version %d: %v, %d topics, %d mappings, %d filter servers; want %d, %d, %d",
				tt.version, err, len(b.Topics), len(b.Mappings), filter, tt.topics, tt.mappings, tt.filter)
		}
	}
}

// TestBodyCRC32 has the check value of the algorithm, less its highest bit.
// Java: UtilAll#crc32.
func TestBodyCRC32(t *testing.T) {
	for in, want := range map[string]int32{"": 0, "123456789": 0xCBF43926 & 0x7FFFFFFF, "a": 0xE8B7BE43 & 0x7FFFFFFF} {
		if got := BodyCRC32([]byte(in)); got != want {
			t.Errorf("%q: got %#x, want %#x", in, got, want)
		}
	}
}

// TestStream: frames one behind the other are cut where they end, however the
// stream comes.
func TestStream(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want []string
		for i := range rapid.IntRange(0, 6).Draw(t, "frames") {
			body := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "body")
			frame := AppendRequest(nil, SerializeType(i%2), &Command{Code: RequestCode(i), Body: body})
			stream, want = append(stream, frame...), append(want, string(frame))
		}
		var buf []byte
		var got []string
		for len(stream) > 0 {
			n := rapid.IntRange(1, min(len(stream), 50)).Draw(t, "read")
			buf, stream = append(buf, stream[:n]...), stream[n:]
			for {
				size, err := SplitFrame(buf)
				if err != nil {
					t.Fatal(err)
				}
				if (size == 0) != (len(buf) < 4) {
					t.Fatalf("size %d of %d bytes", size, len(buf))
				}
				if size == 0 || size > len(buf) {
					break
				}
				got, buf = append(got, string(buf[:size])), buf[size:]
			}
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) || len(buf) > 0 {
			t.Fatalf("got %q, %d bytes left; want %q", got, len(buf), want)
		}
	})
}

// TestSpoiltFrames: each byte of each example is replaced by some that matter.
// Whatever comes out, nothing of it reaches beyond the frame.
func TestSpoiltFrames(t *testing.T) {
	for _, name := range exampleFrames {
		frame := loadFrame(t, name)
		for i := range frame {
			for _, c := range []byte{0, 1, 0x7F, 0x80, 0xFF, '"', '\\', '{', '}', ',', ':', ' ', '/', '0', frame[i] + 1} {
				spoilt := bytes.Clone(frame)
				spoilt[i] = c
				n, err := SplitFrame(spoilt)
				var cmd Command
				decodeErr := cmd.Decode(spoilt)
				if err != nil && decodeErr == nil {
					t.Errorf("%s, byte %d is %#x: not split, %v, but decoded", name, i, c, err)
				}
				if decodeErr != nil {
					continue
				}
				if cmd.Body != nil && !inside(spoilt[:n], cmd.Body) {
					t.Errorf("%s, byte %d is %#x: the body reaches beyond the frame", name, i, c)
				}
				for _, f := range cmd.Ext {
					if len(f.Name)+len(f.Value) > 2*len(frame) {
						t.Errorf("%s, byte %d is %#x: a field of %d bytes", name, i, c, len(f.Name)+len(f.Value))
					}
				}
			}
		}
	}
}
