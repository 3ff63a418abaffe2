package codec

import (
	"encoding/binary"
	"errors"
	"testing"
)

func TestSplitFrame(t *testing.T) {
	word := func(length int32, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(length)), rest...)
	}
	for _, tt := range []struct {
		name string
		in   []byte
		want int
		err  error
	}{
		{name: "nothing", in: nil, want: 0},
		{name: "three bytes", in: []byte{0, 0, 0}, want: 0},
		{name: "length alone", in: word(27), want: 31},
		{name: "header word cut", in: word(27, 9, 0, 0), want: 31},
		{name: "JSON", in: word(27, 0, 0, 0, 23), want: 31},
		{name: "binary", in: word(27, 1, 0, 0, 23), want: 31},
		{name: "header shorter than frame", in: word(27, 1, 0, 0, 21), want: 31},
		{name: "two frames", in: append(word(4, 0, 0, 0, 0), word(4, 0, 0, 0, 0)...), want: 8},
		{name: "largest", in: word(16777212), want: 16777216},
		{name: "one too large", in: word(16777213), err: ErrFrameTooLarge},
		{name: "HTTP", in: []byte("GET / HTTP/1.1"), err: ErrFrameTooLarge},
		{name: "negative", in: word(-1), err: ErrFrameLength},
		{name: "zero", in: word(0), err: ErrFrameLength},
		{name: "three", in: word(3), err: ErrFrameLength},
		{name: "serialize type 2", in: word(27, 2, 0, 0, 23), err: ErrSerializeType},
		{name: "header longer than frame", in: word(27, 0, 0, 0, 24), err: ErrHeaderLength},
		{name: "header of 24 bits", in: word(27, 0, 0xFF, 0xFF, 0xFF), err: ErrHeaderLength},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := SplitFrame(tt.in)
			if n != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("SplitFrame(% x) = %d, %v; want %d, %v", tt.in, n, err, tt.want, tt.err)
			}
		})
	}
	split := NewSplitFunc(100)
	if n, err := split(word(96)); n != 100 || err != nil {
		t.Errorf("limit 100: split(96) = %d, %v; want 100", n, err)
	}
	if _, err := split(word(97)); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("limit 100: split(97) = %v; want %v", err, ErrFrameTooLarge)
	}
}

func FuzzSplitFrame(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	for _, name := range exampleFrames {
		f.Add(loadFrame(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := SplitFrame(b)
		switch {
		case err != nil && n != 0:
			t.Fatalf("size %d together with error %v", n, err)
		case err == nil && len(b) >= 4 && (n < 8 || n > MaxFrameLength):
			t.Fatalf("frame of %d bytes", n)
		case err == nil && len(b) < 4 && n != 0:
			t.Fatalf("size %d from %d bytes", n, len(b))
		}
		// What a prefix says never changes when more bytes come, but for the
		// header word that eight bytes reveal.
		if m, prefixErr := SplitFrame(b[:min(len(b), 5)]); prefixErr == nil && err == nil && m != n {
			t.Fatalf("five bytes say %d, %d bytes say %d", m, len(b), n)
		}
		var c Command
		if err == nil && n > 0 && n <= len(b) {
			_ = c.Decode(b[:n]) // must not panic
		}
		_ = c.Decode(b)
	})
}
