package codec

import (
	"encoding/binary"
	"errors"
	"testing"
)

// binaryHeader returns a header of code -5, language GO, version -2 with the
// given remark length, remark, ext length and entries.
func binaryHeader(remarkLen int32, remark string, extLen int32, entries ...[]byte) []byte {
	h := appendBinaryFixed(nil, -5, LanguageGo, -2, -1, FlagOneway)
	h = append(binary.BigEndian.AppendUint32(h, uint32(remarkLen)), remark...)
	h = binary.BigEndian.AppendUint32(h, uint32(extLen))
	for _, e := range entries {
		h = append(h, e...)
	}
	return h
}

// entry returns one ext field with the given lengths.
func entry(nameLen int16, name string, valueLen int32, value string) []byte {
	b := append(binary.BigEndian.AppendUint16(nil, uint16(nameLen)), name...)
	return append(binary.BigEndian.AppendUint32(b, uint32(valueLen)), value...)
}

func TestBinaryHeader(t *testing.T) {
	base := Command{Code: -5, Language: LanguageGo, Version: -2, Opaque: -1, Flag: FlagOneway}
	with := func(remark []byte, ext ExtFields) Command {
		c := base
		c.Remark, c.Ext = remark, ext
		return c
	}
	ab := entry(1, "a", 2, "bc") // 9 bytes
	unknown := binaryHeader(0, "", 0)
	unknown[2] = 14
	want14 := base
	want14.Language = LanguageUnknown
	for _, tt := range []struct {
		name string
		in   []byte
		want Command
		bad  bool
	}{
		{name: "smallest", in: binaryHeader(0, "", 0), want: base},
		{name: "unknown language", in: unknown, want: want14},
		{name: "remark", in: binaryHeader(3, "a/é"[:3], 0), want: with([]byte("a/\uFFFD"), nil)},
		{name: "remark and fields", in: binaryHeader(2, "rr", 18, ab, entry(2, "cd", 1, "e")), want: with([]byte("rr"), extFields("a", "bc", "cd", "e"))},
		{name: "negative ext length", in: binaryHeader(0, "", -1, ab), want: base},
		{name: "ext length zero, bytes left over", in: binaryHeader(0, "", 0, ab), want: base},
		{name: "bytes left over", in: binaryHeader(0, "", 9, ab, []byte("xyz")), want: with(nil, extFields("a", "bc"))},
		{name: "ext length two short", in: binaryHeader(0, "", 7, ab), want: with(nil, extFields("a", "bc"))},
		{name: "null name", in: binaryHeader(0, "", 8, entry(0, "", 2, "bc")), want: base},
		{name: "null value", in: binaryHeader(0, "", 7, entry(1, "a", 0, "")), want: base},
		{name: "null value after a value", in: binaryHeader(0, "", 16, ab, entry(1, "a", 0, "")), want: base},
		{name: "twice", in: binaryHeader(0, "", 17, ab, entry(1, "a", 1, "z")), want: with(nil, extFields("a", "bc", "a", "z"))},
		{name: "not UTF-8", in: binaryHeader(0, "", 9, entry(1, "\xff", 2, "b\xff")), want: with(nil, extFields("\uFFFD", "b\uFFFD"))},

		{name: "nothing", in: nil, bad: true},
		{name: "one byte short", in: binaryHeader(0, "", 0)[:20], bad: true},
		{name: "negative remark length", in: binaryHeader(-1, "", 0), bad: true},
		{name: "remark longer than header", in: binaryHeader(1000, "", 0), bad: true},
		{name: "remark over the ext length", in: binaryHeader(1, "", 0), bad: true},
		{name: "ext length longer than header", in: binaryHeader(0, "", 31, ab), bad: true},
		{name: "entries end early", in: binaryHeader(0, "", 10, ab), bad: true},
		{name: "negative name length", in: binaryHeader(0, "", 9, entry(-1, "a", 2, "bc")), bad: true},
		{name: "name longer than ext fields", in: binaryHeader(0, "", 5, entry(6, "abcdef", 0, "")), bad: true},
		{name: "name over the end", in: binaryHeader(0, "", 9, entry(9, "a", 2, "bc")), bad: true},
		{name: "negative value length", in: binaryHeader(0, "", 9, entry(1, "a", -2, "bc")), bad: true},
		{name: "value longer than ext fields", in: binaryHeader(0, "", 7, entry(1, "a", 8, "abcdefgh")), bad: true},
		{name: "value over the end", in: binaryHeader(0, "", 9, entry(1, "a", 3, "bc")), bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Command
			err := c.Decode(frameOf(SerializeRocketMQ, tt.in, []byte("body")))
			var headerErr *HeaderError
			switch {
			case tt.bad && (!errors.As(err, &headerErr) || headerErr.SerializeType != SerializeRocketMQ):
				t.Errorf("% x: %v, %s; want a HeaderError", tt.in, err, showCommand(&c))
			case !tt.bad && err != nil:
				t.Errorf("% x: %v", tt.in, err)
			case !tt.bad && showCommand(&c) != showCommand(&tt.want):
				t.Errorf("% x:\ngot  %s\nwant %s", tt.in, showCommand(&c), showCommand(&tt.want))
			case !tt.bad && string(c.Body) != "body":
				t.Errorf("% x: body %q", tt.in, c.Body)
			}
		})
	}
}

// TestBinaryHeaderStaysInside checks that no field reaches into the body.
func TestBinaryHeaderStaysInside(t *testing.T) {
	h := binaryHeader(0, "", 9, entry(1, "a", 3, "bc"))
	var c Command
	if err := c.Decode(frameOf(SerializeRocketMQ, h, []byte("body"))); err == nil {
		t.Errorf("value of three bytes with two in the header: %s", showCommand(&c))
	}
}

func FuzzBinaryHeader(f *testing.F) {
	for _, name := range exampleFrames {
		if frame := loadFrame(f, name); frame[4] == byte(SerializeRocketMQ) {
			headerLen := int(frame[6])<<8 | int(frame[7])
			f.Add(frame[8 : 8+headerLen])
		}
	}
	f.Fuzz(func(t *testing.T, h []byte) {
		var c, d Command
		if err := c.consumeBinaryHeader(h); err != nil {
			return
		}
		again := c.appendBinaryHeader(nil)
		// Text that was not UTF-8 grows when written again, beyond the limits
		// even; and of a name and value sent twice both are kept.
		if err := d.consumeBinaryHeader(again); len(again) <= len(h) && (err != nil || showCommand(&c) != showCommand(&d)) {
			t.Errorf("% x:\nread       %s\nread again %s, %v", h, showCommand(&c), showCommand(&d), err)
		}
	})
}
