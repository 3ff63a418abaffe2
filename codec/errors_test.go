package codec

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// TestErrorTexts: what an operator reads in the log says what is wrong, where,
// and with which number.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	json := func(header string) []byte { return frameOf(SerializeJSON, []byte(header), nil) }
	rocketmq := func(header []byte) []byte { return frameOf(SerializeRocketMQ, header, nil) }
	ab := entry(1, "a", 2, "bc")
	for _, tt := range []struct {
		name  string
		frame []byte
		want  string
		is    error // nil means a HeaderError
	}{
		{"nothing", nil, "codec: truncated: frame of 0 bytes", ErrTruncated},
		{"seven bytes", make([]byte, 7), "codec: truncated: frame of 7 bytes", ErrTruncated},
		{"length of three", []byte{0, 0, 0, 3, 0, 0, 0, 0}, "codec: frame length cannot hold a header word: 3", ErrFrameLength},
		{"length below zero", []byte{255, 255, 255, 254, 0, 0, 0, 0}, "codec: frame length cannot hold a header word: -2", ErrFrameLength},
		{"length beyond the frame", []byte{0, 0, 0, 5, 0, 0, 0, 0}, "codec: truncated: length field says 5, frame has 4", ErrTruncated},
		{"serialize type", []byte{0, 0, 0, 4, 2, 0, 0, 0}, "codec: unknown serialize type: 2", ErrSerializeType},
		{"header length", []byte{0, 0, 0, 4, 0, 0, 0, 1}, "codec: header length exceeds frame: header 1, frame has 0 left", ErrHeaderLength},

		{"no header", json(""), `codec: JSON header at byte 0: not an object, near ""`, nil},
		{"not UTF-8", json("{\"remark\":\"\xff\"}"), `codec: JSON header at byte 11: not UTF-8`, nil},
		{"not UTF-8, behind what is", json("{\"é\":\"a\xe4\xb8\"}"), `codec: JSON header at byte 8: not UTF-8`, nil},
		{"bad int", json(`{"code":"x"}`), `codec: JSON header at byte 11: not a number, or out of range, near "{\"code\":\"x\"}"`, nil},
		{"cut", json(`{"code":1`), `codec: JSON header at byte 9: unexpected end, near "{\"code\":1"`, nil},
		{"ordinal of no language", json(`{"language":14}`), `codec: JSON header at byte 14: no such ordinal, near "{\"language\":14}"`, nil},
		{"ordinal below zero", json(`{"language":-1}`), `codec: JSON header at byte 14: no such ordinal, near "{\"language\":-1}"`, nil},
		{"ordinal with a point", json(`{"language":1.0}`), `codec: JSON header at byte 15: no such ordinal, near "{\"language\":1.0}"`, nil},
		{"language as boolean", json(`{"language":true}`), `codec: JSON header at byte 12: not the name of an enum value, near "{\"language\":true}"`, nil},
		{"ordinal of no form", json(`{"serializeTypeCurrentRPC":2}`), `codec: JSON header at byte 28: no such ordinal, near "ypeCurrentRPC\":2}"`, nil},
		{"ext fields as array", json(`{"extFields":[]}`), `codec: JSON header at byte 13: not an object, near "{\"extFields\":[]}"`, nil},
		{"too much before and behind", json(`{"remark":"` + strings.Repeat("a", 99) + `",x"` + strings.Repeat("b", 99)), `codec: JSON header at byte 113: missing colon, near "aaaaaaaaaaaaa\",x\"bbbbbbbbbbbbbbb"`, nil},

		{"binary header of 20", rocketmq(make([]byte, 20)), "codec: ROCKETMQ header at byte 20: unexpected end", nil},
		{"remark below zero", rocketmq(binaryHeader(-7, "", 0)), "codec: ROCKETMQ header at byte 13: remark length -7 out of range", nil},
		{"remark beyond", rocketmq(binaryHeader(4, "abc", 0)), "codec: ROCKETMQ header at byte 13: remark length 4 out of range", nil},
		{"ext fields beyond", rocketmq(binaryHeader(2, "rr", 99)), "codec: ROCKETMQ header at byte 19: length 99 of ext fields out of range", nil},
		{"entry cut", rocketmq(binaryHeader(0, "", 10, ab)), "codec: ROCKETMQ header at byte 30: unexpected end", nil},
		{"name below zero", rocketmq(binaryHeader(0, "", 9, entry(-1, "a", 2, "bc"))), "codec: ROCKETMQ header at byte 21: name length -1 out of range", nil},
		{"name beyond", rocketmq(binaryHeader(0, "", 9, entry(9, "a", 2, "bc"))), "codec: ROCKETMQ header at byte 21: name length 9 out of range", nil},
		{"value below zero", rocketmq(binaryHeader(0, "", 9, entry(1, "a", -2, "bc"))), "codec: ROCKETMQ header at byte 24: value length -2 out of range", nil},
		{"second value beyond", rocketmq(binaryHeader(0, "", 18, ab, entry(1, "a", 3, "bc"))), "codec: ROCKETMQ header at byte 33: value length 3 out of range", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Command
			err := c.Decode(tt.frame)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			var headerErr *HeaderError
			if tt.is != nil && !errors.Is(err, tt.is) || tt.is == nil && !errors.As(err, &headerErr) {
				t.Errorf("got a %T", err)
			}
		})
	}
}

// TestSplitErrorTexts is TestErrorTexts for what closes a connection.
func TestSplitErrorTexts(t *testing.T) {
	split := NewSplitFunc(1000)
	for _, tt := range []struct {
		in   []byte
		want string
	}{
		{binary.BigEndian.AppendUint32(nil, 997), "codec: frame too large: 1001 bytes, limit 1000"},
		{[]byte("GET /"), "codec: frame too large: 1195725860 bytes, limit 1000"},
		{[]byte{255, 255, 255, 255}, "codec: frame length cannot hold a header word: -1"},
		{[]byte{0x80, 0, 0, 0}, "codec: frame length cannot hold a header word: -2147483648"},
		{[]byte{0, 0, 0, 9, 'P', 0, 0, 0}, "codec: unknown serialize type: 80"},
		{[]byte{0, 0, 0, 9, 1, 0, 0, 6}, "codec: header length exceeds frame: header 6, frame has 5 left"},
	} {
		if _, err := split(tt.in); err == nil || err.Error() != tt.want {
			t.Errorf("% x: got %v, want %s", tt.in, err, tt.want)
		}
	}
}

// TestBodyErrorTexts is TestErrorTexts for bodies. Offsets of a compressed body
// count in what it inflates to.
func TestBodyErrorTexts(t *testing.T) {
	t.Parallel()
	const dv = `{"counter":1}` // 13 bytes
	plain := func(in string) func() error {
		return func() error { return new(RegisterBrokerBody).Decode([]byte(in), Version, false, nowMillis) }
	}
	old := func(in string) func() error {
		return func() error { return new(RegisterBrokerBody).Decode([]byte(in), 36, false, nowMillis) }
	}
	compact := func(in []byte) func() error {
		return func() error {
			return new(RegisterBrokerBody).Decode(Compress(nil, in), Version, true, nowMillis)
		}
	}
	long := strings.Repeat("x", 65)
	for _, tt := range []struct {
		name   string
		decode func() error
		want   string
	}{
		{"not an object", plain(`[]`), `codec: RegisterBrokerBody at byte 0: not an object, near "[]"`},
		{"nothing but a wrapper", old(`null`), `codec: TopicConfigSerializeWrapper at byte 0: not an object, near "null"`},
		{"topic as number", plain(wrapped(`{"topicConfigTable":{"K":1}}`)), `codec: RegisterBrokerBody at byte 56: not an object, near "nfigTable\":{\"K\":1}}}"`},
		{"filter servers", plain(`{"filterServerList":1}`), `codec: RegisterBrokerBody at byte 20: not an array, near "lterServerList\":1}"`},
		{"queue number as name", plain(mappingBody(`{"currIdMap":{x:1}}`)), `codec: RegisterBrokerBody at byte 80: queue number out of range, near "{\"currIdMap\":{x:1}}}}}"`},
		{"queue number as null", plain(mappingBody(`{"currIdMap":{1:null}}`)), `codec: RegisterBrokerBody at byte 84: queue number is null, near "rrIdMap\":{1:null}}}}}"`},
		{"like zlib, but too short for it", plain("x\x9c"), `codec: RegisterBrokerBody at byte 0: not an object, near "x\x9c"`},
		{"version", func() error {
			return new(RegisterBrokerBody).Decode(nil, -3, false, nowMillis)
		}, "codec: version is negative: -3"},

		{"topic line", compact(compactOf(dv, 1, []string{"A 1 x"}, "[]")), `codec: RegisterBrokerBody at byte 30: not a topic config: "A 1 x"`},
		{"topic line of 65", compact(compactOf(dv, 1, []string{long}, "[]")), `codec: RegisterBrokerBody at byte 90: not a topic config: "` + long[:64] + `"...`},
		{"topic line of 64", compact(compactOf(dv, 1, []string{long[:64]}, "[]")), `codec: RegisterBrokerBody at byte 89: not a topic config: "` + long[:64] + `"`},
		{"count", compact(compactOf(dv, -5, nil, "[]")), `codec: RegisterBrokerBody at byte 21: count -5 out of range`},
		{"length", compact([]byte{255, 255, 255, 254}), `codec: RegisterBrokerBody at byte 4: length -2 out of range`},
		{"length beyond the limit", compact([]byte{127, 0, 0, 0}), `codec: RegisterBrokerBody at byte 4: length 2130706432 out of range`},
		{"cut", compact([]byte{0, 0, 0, 5, '{', '}'}), `codec: RegisterBrokerBody at byte 4: unexpected end`},
		{"cut in a number", compact([]byte{0, 0, 0, 2, '{', '}', 0, 0}), `codec: RegisterBrokerBody at byte 6: unexpected end`},
		{"data version", compact(compactOf("[]", 0, nil, "[]")), `codec: DataVersion at byte 0: not an object, near "[]"`},
		{"mapping", compact(compactOf(dv, 0, nil, "[]", "{}")), `codec: RegisterBrokerBody at byte 37: not a TopicQueueMappingInfo with a topic`},
		{"no zlib", func() error {
			return new(RegisterBrokerBody).Decode([]byte("{}"), Version, true, nowMillis)
		}, "codec: RegisterBrokerBody at byte 2: zlib: invalid header"},
		{"zlib cut", func() error {
			return new(RegisterBrokerBody).Decode([]byte{0x78, 0x9c, 0x01}, Version, true, nowMillis)
		}, "codec: RegisterBrokerBody at byte 3: unexpected EOF"},

		{"data version alone", func() error { _, _, err := DecodeDataVersion([]byte("1"), 0); return err }, `codec: DataVersion at byte 0: not an object, near "1"`},
		{"route", func() error { return new(TopicRouteData).Decode([]byte(`{"brokerDatas":[{"brokerAddrs":{"x":"a"}}]}`)) }, `codec: TopicRouteData at byte 36: broker id out of range, near "okerAddrs\":{\"x\":\"a\"}}]}"`},
		{"KV config", func() error { return new(KVConfigTable).Decode([]byte(`{"configTable":{"a":1}}`)) }, `codec: KVConfigSerializeWrapper at byte 20: not an object, near "nfigTable\":{\"a\":1}}"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.decode(); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	inflate := func() error {
		return new(RegisterBrokerBody).inflate(Compress(nil, make([]byte, 100)), true, nowMillis, 99)
	}
	if err := inflate(); !errors.Is(err, ErrInflatedTooLarge) || err.Error() != "codec: inflated body too large: limit 99 bytes" {
		t.Errorf("inflated too far: %v", err)
	}
	if got := (&syntaxError{offset: 3, reason: "why"}).Error(); got != "codec: byte 3: why" {
		t.Errorf("got %q", got)
	}
}

// TestErrorsShowLittle: what a stranger sent is quoted, and only some of it, so
// that nothing of his stands in a log as if it were ours.
func TestErrorsShowLittle(t *testing.T) {
	const evil = "\n\x1b[31m level=ERROR msg=\u202efake"
	long := strings.Repeat(evil, 1000)
	var c Command
	for _, err := range []error{
		c.Decode(frameOf(SerializeJSON, []byte(long), nil)),
		c.Decode(frameOf(SerializeJSON, []byte(`{"code":"`+long+`"}`), nil)),
		new(RegisterBrokerBody).Decode([]byte(`{"filterServerList":`+long), Version, false, nowMillis),
		new(RegisterBrokerBody).Decode(Compress(nil, compactOf("{}", 1, []string{long}, "[]")), Version, true, nowMillis),
		new(TopicRouteData).Decode([]byte(long)),
		new(KVConfigTable).Decode([]byte(`{"configTable":{` + long)),
	} {
		if err == nil {
			t.Fatal("no error")
		}
		text := err.Error()
		if len(text) > 400 {
			t.Errorf("%d bytes: %.100s", len(text), text)
		}
		if strings.ContainsAny(text, "\n\x1b\u202e") {
			t.Errorf("not quoted: %q", text)
		}
	}
}
