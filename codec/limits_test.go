package codec

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
)

// What a stranger sends must not cost many times what it cost to send.

func TestTooManyExtFields(t *testing.T) {
	pairs := make([]string, 0, 2*(maxExtFields+1))
	for range maxExtFields + 1 {
		pairs = append(pairs, "a", "b")
	}
	for _, st := range []SerializeType{SerializeJSON, SerializeRocketMQ} {
		var c, got Command
		var headerErr *HeaderError
		c.Ext = extFields(pairs...)
		if err := got.Decode(AppendRequest(nil, st, &c)); !errors.As(err, &headerErr) {
			t.Errorf("%s, %d ext fields: %v; want a HeaderError", st, len(c.Ext), err)
		}
		c.Ext = c.Ext[1:]
		if err := got.Decode(AppendRequest(nil, st, &c)); err != nil || len(got.Ext) != maxExtFields {
			t.Errorf("%s, %d ext fields: %v, read %d", st, len(c.Ext), err, len(got.Ext))
		}
		if err := got.Decode(loadFrame(t, "route_request")); err != nil || cap(got.Ext) > maxKeptExtFields {
			t.Errorf("%s: %v, room for %d ext fields kept", st, err, cap(got.Ext))
		}
	}
}

// What is not text in a header is written anew, which takes many times its size:
// a header that is mostly that is refused.
func TestUnusualHeaderIsBounded(t *testing.T) {
	for name, value := range map[string]string{
		"list":   `[` + strings.Repeat("\"\x01\",", 1<<18) + `1]`,
		"float":  `1.` + strings.Repeat("0", 1<<20) + `1`,
		"object": `{` + strings.Repeat("\"a\":\"\x01\",", 1<<17) + `"b":1}`,
	} {
		header := []byte(`{"code":105,"opaque":1,"extFields":{"topic":` + value + `}}`)
		frame := endedFrame(header)
		var c Command
		var err error
		used := allocated(func() { err = c.Decode(frame) })
		var headerErr *HeaderError
		if !errors.As(err, &headerErr) {
			t.Errorf("%s: %v, want a HeaderError", name, err)
		}
		if most := 3*len(frame) + unusualHeader; used > most {
			t.Errorf("%s: %d bytes allocated for a header of %d, want %d at most", name, used, len(header), most)
		}
	}
	var c Command
	if err := c.Decode(endedFrame([]byte(`{"code":105,"extFields":{"a":[1,{"b":"\x01"}],"c":1.5e3}}`))); err != nil || len(c.Ext) != 2 {
		t.Errorf("a small one: %v, %d fields", err, len(c.Ext))
	}
}

// endedFrame is a frame of a JSON header.
func endedFrame(header []byte) []byte {
	frame := beginFrame(nil)
	frame = append(frame, header...)
	endFrame(frame, 0, len(frame), SerializeJSON)
	return frame
}

func TestManyNullExtFields(t *testing.T) {
	var h strings.Builder
	h.WriteString(`{"extFields":{"last":"x"`)
	for i := range maxExtFields - 3 {
		h.WriteString(`,"n`)
		h.WriteByte('a' + byte(i%26))
		h.WriteString(`":null`)
	}
	h.WriteString(`,"last":null,"last":"y"}}`)
	var c Command
	if err := c.Decode(frameOf(SerializeJSON, []byte(h.String()), nil)); err != nil || show(c.Ext) != "last=y" {
		t.Errorf("%v, ext %.100s; want last=y", err, show(c.Ext))
	}
}

func TestTooManyEntries(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("builds bodies of a million entries; nothing here runs at the same time")
	}
	t.Parallel()
	repeat := func(before, entry, after string, n int) []byte {
		return []byte(before + strings.Repeat(entry+",", n-1) + entry + after)
	}
	for _, tt := range []struct{ name, before, entry, after string }{
		{"topics", `{"topicConfigSerializeWrapper":{"topicConfigTable":{`, `"":{}`, `}}}`},
		{"filter servers", `{"filterServerList":[`, `""`, `]}`},
	} {
		for n, ok := range map[int]bool{maxEntries: true, maxEntries + 1: false} {
			var b RegisterBrokerBody
			if err := b.Decode(repeat(tt.before, tt.entry, tt.after, n), Version, false, nowMillis); (err == nil) != ok {
				t.Errorf("%d %s: %v", n, tt.name, err)
			}
			if err := b.Decode([]byte("{}"), Version, false, nowMillis); err != nil || cap(b.Topics) > maxKeptTopics {
				t.Errorf("%v, room for %d topics kept", err, cap(b.Topics))
			}
		}
	}
	var d TopicRouteData
	if err := d.Decode(repeat(`{"queueDatas":[`, `{}`, `]}`, maxEntries+1)); err == nil {
		t.Errorf("%d queue datas: no error", len(d.QueueDatas))
	}
	lines := make([]string, maxEntries+1)
	for i := range lines {
		lines[i] = "A 1 1 6 MULTI_TAG"
	}
	var b RegisterBrokerBody
	b.reset(nowMillis)
	if err := b.decodeCompact(compactOf("{}", len(lines), lines, "[]"), true, nowMillis); err == nil {
		t.Errorf("%d topics in a compact body: no error", len(lines))
	}
}

// TestTopicsMemoryIsNotKept: the memory for a table of topics is used again, up
// to a bound: that of the topics, and that of what is remembered of their text.
func TestTopicsMemoryIsNotKept(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine decodes a million topics")
	}
	for _, tt := range []struct {
		topics int
		kept   bool
	}{{1 << 15, true}, {1<<18 + 1, false}} {
		var b RegisterBrokerBody
		var named RegisterBrokerBody
		for i := range tt.topics {
			name := strconv.AppendInt(nil, int64(i), 10)
			named.Topics = append(named.Topics, TopicConfig{Name: name, Key: name})
		}
		body := named.AppendJSON(nil)
		for range 2 {
			if err := b.Decode(body, Version, false, nowMillis); err != nil || len(b.Topics) != tt.topics || len(b.text.names) != tt.topics {
				t.Fatalf("%d topics: %v, read %d", tt.topics, err, len(b.Topics))
			}
			if err := b.Decode([]byte("{}"), Version, false, nowMillis); err != nil {
				t.Fatal(err)
			}
			for what, room := range map[string]int{
				"topics": cap(b.Topics), "names": cap(b.text.names), "decoded": cap(b.text.decoded), "pieces": pieceTopics * cap(b.text.pieces),
			} {
				if kept := room >= tt.topics; kept != tt.kept || room > 2*maxKeptTopics {
					t.Errorf("after %d topics there is room for %d %s, want some kept: %v", tt.topics, room, what, tt.kept)
				}
			}
		}
	}
}

// What a body was large of is given up when it is done with.
func TestLargeMemoryIsNotKept(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	lines := make([]string, 2*maxKeptTopics)
	mappings := make([]string, 2*maxKeptMappings)
	for i := range lines {
		lines[i] = strings.Repeat("A", 30) + " 1 1 6 MULTI_TAG"
	}
	for i := range mappings {
		mappings[i] = `{"topic":"T","currIdMap":{0:1}}`
	}
	filters := "[" + strings.Repeat(`"f",`, 2*maxKeptMappings) + "]"
	var b RegisterBrokerBody
	if err := b.Decode(Compress(nil, compactOf("{}", len(lines), lines, filters, mappings...)), Version, true, nowMillis); err != nil {
		t.Fatal(err)
	}
	if n := b.kept(); n < 20<<20 {
		t.Errorf("%d bytes used, want many", n)
	}
	b.Forget()
	if n := b.kept(); n > 5<<20 {
		t.Errorf("%d bytes kept", n)
	}
}

// TestDecodeBorrows: windows are into the frame, strings are not.
func TestDecodeBorrows(t *testing.T) {
	frame := loadFrame(t, "route_request")
	var c Command
	if err := c.Decode(frame); err != nil {
		t.Fatal(err)
	}
	topic, _ := c.Ext.Get("topic")
	frame[bytes.IndexByte(frame, 'T')] = 'U'
	if string(topic) != "U" {
		t.Errorf("topic %q is not a window into the frame", topic)
	}
	body := []byte(realBody)
	var b RegisterBrokerBody
	if err := b.Decode(body, Version, false, nowMillis); err != nil {
		t.Fatal(err)
	}
	clear(body)
	if b.Mappings[0].Key != "StaticT" || b.Mappings[0].Info.Bname != "broker-a" {
		t.Errorf("mapping %+v changed with the body", b.Mappings[0])
	}
}
