package codec

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// spoil overwrites b, as the engine does when it uses a buffer again.
func spoil(b []byte) {
	for i := range b {
		b[i] = '#'
	}
}

// inside reports whether part is a window into whole.
func inside(whole, part []byte) bool {
	if len(part) == 0 {
		return false
	}
	first := uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	p := uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	return first <= p && p+uintptr(len(part)) <= first+uintptr(len(whole))
}

// TestCommandBorrows: all that Decode returns of a usual header lies in the
// frame, and nothing of it can be appended to without a copy: what stands
// behind it in the frame belongs to others.
func TestCommandBorrows(t *testing.T) {
	json := []byte(`{"code":105,"extFields":{"topic":"T1","b":"cd"},"opaque":7,"remark":"why"}`)
	binary := binaryHeader(3, "why", 2+5+4+2+2+1+4+2, entry(5, "topic", 2, "T1"), entry(1, "b", 2, "cd"))
	for _, tt := range []struct {
		name  string
		frame []byte
	}{
		{"JSON", frameOf(SerializeJSON, json, []byte("the body"))},
		{"binary", frameOf(SerializeRocketMQ, binary, []byte("the body"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frame := append(bytes.Clone(tt.frame), "next frame"...)
			var c Command
			if err := c.Decode(frame); err != nil {
				t.Fatal(err)
			}
			if got := show(c.Ext); got != "topic=T1 b=cd" || string(c.Remark) != "why" || string(c.Body) != "the body" {
				t.Fatalf("got ext %s, remark %q, body %q", got, c.Remark, c.Body)
			}
			windows := map[string][]byte{"remark": c.Remark}
			for _, f := range c.Ext {
				windows["name "+string(f.Name)], windows["value "+string(f.Value)] = f.Name, f.Value
			}
			for what, b := range windows {
				if !inside(frame, b) {
					t.Errorf("%s was copied", what)
				}
				if cap(b) != len(b) {
					t.Errorf("%s has room for %d bytes more, which are not its own", what, cap(b)-len(b))
				}
			}
			if !inside(frame, c.Body) {
				t.Error("the body was copied")
			}
			if cap(c.Body) < len(c.Body) || string(frame[len(tt.frame):]) != "next frame" {
				t.Errorf("the next frame reads %q", frame[len(tt.frame):])
			}
		})
	}
}

// TestUnusualHeaderValues: where a header has to be unescaped, what comes out
// does not follow the frame any more.
func TestUnusualHeaderValues(t *testing.T) {
	for _, in := range []string{
		`{"remark":"a\u0062c","extFields":{"k\u0031":"v\n"}}`, // strict JSON
		`{'remark':'a\x62c',extFields:{'k\1':'v\v'}}`,         // fastjson's
	} {
		frame := frameOf(SerializeJSON, []byte(in), nil)
		var c Command
		if err := c.Decode(frame); err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		want := showCommand(&c)
		spoil(frame)
		if got := showCommand(&c); got != want {
			t.Errorf("%s: after the frame was used again\ngot  %s\nwant %s", in, got, want)
		}
	}
}

// TestTypedHeadersBorrow: a typed header copies nothing either, and tells an
// absent field from an empty one.
func TestTypedHeadersBorrow(t *testing.T) {
	value := []byte("T")
	ext := ExtFields{{[]byte("topic"), value}, {[]byte("clusterName"), []byte{}}}
	var h TopicRequestHeader
	h.Decode(ext)
	if unsafe.SliceData(h.Topic) != unsafe.SliceData(value) {
		t.Error("the topic was copied")
	}
	if h.ClusterName == nil {
		t.Error("a cluster that was sent empty reads as absent")
	}
	h.Decode(ext[:1])
	if h.ClusterName != nil {
		t.Errorf("an absent cluster reads as %q", h.ClusterName)
	}
}

// TestOwnedBodies: what is decoded of these bodies outlives them.
func TestOwnedBodies(t *testing.T) {
	route := fullRoute().AppendJSON(nil, DialectLegacy)
	for _, tt := range []struct {
		name   string
		body   string
		decode func(body []byte) (show func() string, err error)
	}{
		{"route", string(route), func(body []byte) (func() string, error) {
			var d TopicRouteData
			err := d.Decode(body)
			return func() string { return fmt.Sprintf("%+v", d) }, err
		}},
		{
			"route with names beyond UTF-8", "{\"filterServerTable\":{\"a\xff\":[\"b\xff\"]},\"topicQueueMappingByBroker\":{\"c\xff\":{\"topic\":\"d\xff\"}}}",
			func(body []byte) (func() string, error) {
				var d TopicRouteData
				err := d.Decode(body)
				return func() string { return fmt.Sprintf("%+v", d) }, err
			},
		},
		{"KV config", `{"configTable":{"ns":{"key":"value"}}}`, func(body []byte) (func() string, error) {
			var k KVConfigTable
			err := k.Decode(body)
			return func() string { return string(k.AppendJSON(nil)) }, err
		}},
		{"data version", `{"counter":1,"timestamp":2}`, func(body []byte) (func() string, error) {
			dv, _, err := DecodeDataVersion(body, nowMillis)
			return func() string { return fmt.Sprintf("%+v", dv) }, err
		}},
		{"mappings and filter servers of a registration", `{"filterServerList":["f:1"],"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":` +
			`{"K":{"topic":"K","bname":"b","scope":"s","currIdMap":{0:1}}}}}`, func(body []byte) (func() string, error) {
			var b RegisterBrokerBody
			err := b.Decode(body, Version, false, nowMillis)
			return func() string { return showBody(&b) }, err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := []byte(tt.body)
			show, err := tt.decode(body)
			if err != nil {
				t.Fatal(err)
			}
			want := show()
			spoil(body)
			if got := show(); got != want {
				t.Errorf("after the body was used again\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

// TestTopicsBorrow: topics of a plain body are windows into it, those of a
// compressed one are copies that live until the next Decode or Forget.
func TestTopicsBorrow(t *testing.T) {
	plain := []byte(wrapped(`{"topicConfigTable":{"Key":{"topicName":"Name"}}}`))
	var b RegisterBrokerBody
	if err := b.Decode(plain, Version, false, nowMillis); err != nil {
		t.Fatal(err)
	}
	if !inside(plain, b.Topics[0].Key) || !inside(plain, b.Topics[0].Name) {
		t.Error("key and name of a topic were copied")
	}

	compact := compactOf("{}", 2, []string{"First 1 2 3 SINGLE_TAG", "Second 1 2 3 SINGLE_TAG"}, "[]")
	packed := Compress(nil, compact)
	if err := b.Decode(packed, Version, true, nowMillis); err != nil {
		t.Fatal(err)
	}
	spoil(packed)
	// The pool of inflaters uses its buffers again for the next body.
	var other RegisterBrokerBody
	lines := []string{strings.Repeat("#", 100) + " 1 2 3 SINGLE_TAG"}
	if err := other.Decode(Compress(nil, compactOf("{}", 1, lines, "[]")), Version, true, nowMillis); err != nil {
		t.Fatal(err)
	}
	if string(b.Topics[0].Name) != "First" || string(b.Topics[1].Key) != "Second" {
		t.Errorf("topics read %q and %q", b.Topics[0].Name, b.Topics[1].Key)
	}
	if name := append(b.Topics[0].Name, "!!!"...); string(name) != "First!!!" || string(b.Topics[1].Name) != "Second" {
		t.Errorf("a name was appended to in place: the next one reads %q", b.Topics[1].Name)
	}
}

// TestAppendKeepsWhatIsThere: all that appends leaves the bytes before alone,
// and uses the room of its slice.
func TestAppendKeepsWhatIsThere(t *testing.T) {
	body := RegisterBrokerBody{Topics: []TopicConfig{{Name: []byte("T"), Key: []byte("T")}}, FilterServers: []string{"f"}}
	for name, appendTo := range map[string]func([]byte) []byte{
		"reply":        func(b []byte) []byte { return AppendReply(b, SerializeJSON, &Reply{Remark: "r"}) },
		"binary reply": func(b []byte) []byte { return AppendReply(b, SerializeRocketMQ, &Reply{Remark: "r"}) },
		"request":      func(b []byte) []byte { return AppendRequest(b, SerializeJSON, &Command{Code: 1}) },
		"route":        func(b []byte) []byte { return fullRoute().AppendJSON(b, DialectStrict) },
		"data version": func(b []byte) []byte { return DataVersion{}.AppendJSON(b) },
		"KV table":     func(b []byte) []byte { return (&KVTable{}).AppendJSON(b) },
		"topic list":   func(b []byte) []byte { return (&TopicList{Topics: []string{"a"}}).AppendJSON(b) },
		"cluster info": func(b []byte) []byte { return (&ClusterInfo{}).AppendJSON(b) },
		"member group": func(b []byte) []byte { return (&BrokerMemberGroup{}).AppendJSON(b) },
		"registration": body.AppendJSON,
		"compact":      func(b []byte) []byte { return body.AppendCompact(b, Version) },
		"compressed":   func(b []byte) []byte { return Compress(b, []byte("text")) },
	} {
		alone := appendTo(nil)
		dst := append(make([]byte, 0, 4096), "before"...)
		got := appendTo(dst)
		if want := "before" + string(alone); string(got) != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if unsafe.SliceData(got) != unsafe.SliceData(dst) {
			t.Errorf("%s: there was room, and the bytes were copied all the same", name)
		}
	}
}

// TestRequestTooLong: a header that no frame can hold is a mistake of ours.
func TestRequestTooLong(t *testing.T) {
	remark := bytes.Repeat([]byte{'r'}, maxHeaderLength)
	for _, st := range []SerializeType{SerializeJSON, SerializeRocketMQ} {
		func() {
			defer func() {
				if r := recover(); r != "codec: request header does not fit a frame" {
					t.Errorf("%s: recovered %v, want a panic", st, r)
				}
			}()
			AppendRequest(nil, st, &Command{Remark: remark})
		}()
	}
}

// TestLongestHeader: a header of 2^24-1 bytes is written and read, one byte more
// becomes an error that says so, in both forms.
func TestLongestHeader(t *testing.T) {
	for _, st := range []SerializeType{SerializeJSON, SerializeRocketMQ} {
		headerOf := func(remark int) int {
			frame := AppendReply(nil, st, &Reply{Opaque: 5, Remark: strings.Repeat("r", remark)})
			return int(frame[5])<<16 | int(frame[6])<<8 | int(frame[7])
		}
		beside := headerOf(100) - 100
		longest := maxHeaderLength - beside
		if got := headerOf(longest); got != maxHeaderLength {
			t.Errorf("%s: header of %d bytes, want %d", st, got, maxHeaderLength)
		}
		frame := AppendReply(nil, st, &Reply{Opaque: 5, Remark: strings.Repeat("r", longest+1), Body: []byte("b")})
		var c Command
		if err := c.Decode(frame); err != nil || ResponseCode(c.Code) != RespSystemError || c.Opaque != 5 || c.Body != nil {
			t.Errorf("%s, one byte more: %v, %s", st, err, showCommand(&c))
		}
		if want := "reply header of 16777216 bytes does not fit a frame"; string(c.Remark) != want {
			t.Errorf("%s, one byte more: remark %.100q, want %q", st, c.Remark, want)
		}
	}
}

// TestDecodeAfterFailure: neither a frame nor a failure leaves anything in a
// Command that is used again.
func TestDecodeAfterFailure(t *testing.T) {
	var c Command
	if err := c.Decode(frameOf(SerializeJSON, []byte(`{"code":103}`), []byte("body"))); err != nil {
		t.Fatal(err)
	}
	var headerErr *HeaderError
	if err := c.Decode(frameOf(SerializeJSON, []byte(`{"code":x}`), nil)); !errors.As(err, &headerErr) {
		t.Fatalf("got %v, want a HeaderError", err)
	}
	if err := c.Decode(frameOf(SerializeJSON, []byte(`{"code":104}`), nil)); err != nil || c.Body != nil || c.Code != 104 {
		t.Errorf("got code %d, body %q, %v; want 104 without body", c.Code, c.Body, err)
	}
}
