package route

import (
	"testing"

	"gonamesrv/codec"
)

// TestHashBody: two bodies of a broker have the same hash if, and only if, nothing of them
// is different but the time that nobody reads, and what the checksum says of it.
func TestHashBody(t *testing.T) {
	body := func(written int64) []byte {
		b := benchBody(0, 20, 1, never)
		b.Written = written
		return b.AppendJSON(nil)
	}
	const millis = 1_795_903_396_624
	hash := func(text []byte) uint64 { return HashBody(text, codec.Version, false, codec.BodyCRC32(text)) }
	text := body(millis)
	whole := hash(text)
	for written := int64(millis); written < millis+1000; written++ {
		if hash(body(written)) != whole {
			t.Fatalf("with the time %d it is another one", written)
		}
	}
	timeless := codec.Timeless(text, 0)
	from := len(timeless.Before)
	if timeless.Digits != 13 {
		t.Fatalf("%.300s has no time", text)
	}
	for i := range text {
		text[i] ^= 1
		if got, want := hash(text) == whole, i >= from && i < from+13; got != want {
			t.Errorf("another byte %d: the same %v, want %v", i, got, want)
		}
		if HashBody(text, codec.Version, false, codec.BodyCRC32(body(millis))) == whole {
			t.Errorf("another byte %d, but the same checksum: it is the same", i)
		}
		text[i] ^= 1
	}
	checksum := codec.BodyCRC32(text)
	seen := map[uint64]string{}
	for name, h := range map[string]uint64{
		"the body":           whole,
		"more digits":        hash(body(10 * millis)),
		"another version":    HashBody(text, codec.Version-1, false, checksum),
		"compressed":         HashBody(text, codec.Version, true, checksum),
		"no checksum":        HashBody(text, codec.Version, false, 0),
		"a wrong checksum":   HashBody(text, codec.Version, false, checksum^1),
		"one with a sign":    HashBody(text, codec.Version, false, checksum^-1<<31),
		"without the digits": hash(append(text[:from:from], text[from+13:]...)),
		"a longer body":      hash(append(text[:len(text):len(text)], ' ')),
		"no body":            hash(nil),
	} {
		if h == 0 || seen[h] != "" {
			t.Errorf("%s: hash %x, that of %q", name, h, seen[h])
		}
		seen[h] = name
	}
	if got := testing.AllocsPerRun(10, func() { HashBody(text, codec.Version, false, checksum) }); got != 0 && !raceEnabled {
		t.Errorf("it allocates %v times", got)
	}
}
