package codec

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// TestReadUsual: a topic config written as usual means what it means to the
// reader of any, and so does each that is not quite usual.
func TestReadUsual(t *testing.T) {
	t.Parallel()
	read := func(text []byte, by func(*TopicConfig, *jsonReader)) string {
		tc := TopicConfig{Key: []byte("K"), ReadQueueNums: defaultQueueNums, WriteQueueNums: defaultQueueNums, Perm: defaultPerm}
		var r jsonReader
		r.begin(text)
		by(&tc, &r)
		if r.err != nil {
			return "malformed"
		}
		return fmt.Sprintf("%q %q %d %d %d %d, read up to %d, depth %d, comma %v", tc.Key, tc.Name, tc.ReadQueueNums, tc.WriteQueueNums, tc.Perm, tc.TopicSysFlag, r.i, r.depth, r.comma)
	}
	usual := 0
	check := func(text []byte) {
		t.Helper()
		// As in a table, where a value has been announced and something follows.
		text = append(slices.Clip(text), `,"next":{}`...)
		announced := func(by func(*TopicConfig, *jsonReader)) func(*TopicConfig, *jsonReader) {
			return func(tc *TopicConfig, r *jsonReader) { r.comma = true; by(tc, r) }
		}
		got, want := read(text, announced((*TopicConfig).read)), read(text, announced((*TopicConfig).readAny))
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		if new(TopicConfig).readUsual(&jsonReader{b: text}) {
			usual++
		}
	}
	tc := TopicConfig{Name: []byte("TopicTest"), ReadQueueNums: 8, WriteQueueNums: 16, Perm: 6, TopicSysFlag: 1}
	whole := tc.appendJSON(nil)
	for _, text := range [][]byte{
		whole,
		bytes.ReplaceAll(whole, []byte(`"attributes":{},`), nil),
		bytes.ReplaceAll(whole, []byte("8"), []byte("123456789")),
		bytes.ReplaceAll(whole, []byte("TopicTest"), nil),
	} {
		before := usual
		if check(text); usual == before {
			t.Errorf("not read as usual: %s", text)
		}
		for i := range text {
			check(text[:i])
			check(slices.Delete(slices.Clone(text), i, i+1))
			for _, c := range []byte("\"\\{}[],:0-1.eE+ \t\n\x00\x80xn") {
				mutated := slices.Clone(text)
				mutated[i] = c
				check(mutated)
				check(slices.Insert(slices.Clone(text), i, c))
			}
		}
	}
	for _, n := range []string{"-1", "+1", "08", "1.0", "1e1", "2147483647", "2147483648", "1234567890", "99999999999999999999", "null", `"8"`, "true"} {
		check(bytes.ReplaceAll(whole, []byte("16"), []byte(n)))
	}
	if usual < 10 {
		t.Errorf("%d texts were usual, want more", usual)
	}
}
