package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// showBody returns all of b in a fixed form.
func showBody(b *RegisterBrokerBody) string {
	var s strings.Builder
	fmt.Fprintf(&s, "dv %+v", b.DataVersion)
	if b.NullDataVersion {
		s.WriteString(" null")
	}
	for _, t := range b.Topics {
		fmt.Fprintf(&s, "\ntopic %q key %q %d/%d perm %d flag %d", t.Name, t.Key, t.ReadQueueNums, t.WriteQueueNums, t.Perm, t.TopicSysFlag)
	}
	for _, m := range b.Mappings {
		fmt.Fprintf(&s, "\nmapping %q %+v", m.Key, m.Info)
		if m.Info.CurrIDMap == nil {
			s.WriteString(" null")
		}
	}
	fmt.Fprintf(&s, "\nfilter servers %q", b.FilterServers)
	if b.FilterServersNull {
		s.WriteString(" null")
	}
	return s.String()
}

const realBody = `{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":9,"stateVersion":0,"timestamp":1700000000001},` +
	`"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1700000000544},"topicConfigTable":{"TopicA":{"attributes":{},"order":false,` +
	`"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"TopicA","topicSysFlag":0,"writeQueueNums":8}},` +
	`"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{"StaticT":{"bname":"broker-a","currIdMap":{0:0,2:1},"dirty":false,` +
	`"epoch":1700000000000,"scope":"__global__","topic":"StaticT","totalQueues":4}}}}`

const (
	fresh = "dv {StateVersion:0 Timestamp:1700000009999 Counter:0 NoCounter:false}" // the clock's
	zero  = "dv {StateVersion:0 Timestamp:0 Counter:0 NoCounter:false}"
	none  = "\nfilter servers []"
)

// wrapped returns a body whose topicConfigSerializeWrapper is wrapper.
func wrapped(wrapper string) string { return `{"topicConfigSerializeWrapper":` + wrapper + `}` }

// topicBody returns a body with one topic under the key K.
func topicBody(config string) string { return wrapped(`{"topicConfigTable":{"K":` + config + `}}`) }

// mappingBody returns a body with one mapping under the key K.
func mappingBody(info string) string {
	return wrapped(`{"topicQueueMappingInfoMap":{"K":` + info + `}}`)
}

func TestRegisterBrokerBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		in      string
		version int32 // 0 means 479
		want    string
	}{
		{
			name: "as a 5.x broker sends it", in: realBody,
			want: "dv {StateVersion:0 Timestamp:1700000000001 Counter:9 NoCounter:false}\ntopic \"TopicA\" key \"TopicA\" 8/8 perm 6 flag 0\n" +
				"mapping \"StaticT\" {Topic:StaticT Scope:__global__ TotalQueues:4 Bname:broker-a Epoch:1700000000000 Dirty:false CurrIDMap:[{Logic:0 Physical:0} {Logic:2 Physical:1}]}" + none,
		},
		{name: "no body", in: "", want: zero + none},
		{name: "no body, before 3.0.11", in: "", version: 36, want: zero + none + " null"},
		{name: "version beyond HIGHER_VERSION", in: "", version: 100000, want: zero + none},
		{name: "empty object", in: "{}", want: fresh + none},
		{name: "byte order mark, comments, NUL", in: "\uFEFF/**/{}\x00", want: fresh + none},
		{name: "empty wrapper", in: wrapped("{}"), want: fresh + none},
		{name: "4.x data version", in: wrapped(`{"dataVersion":{"counter":3,"timestamp":5},"topicConfigTable":{}}`), want: "dv {StateVersion:0 Timestamp:5 Counter:3 NoCounter:false}" + none},
		{name: "null data version", in: wrapped(`{"dataVersion":null}`), want: zero + " null" + none},
		{name: "null tables", in: wrapped(`{"topicConfigTable":null,"topicQueueMappingInfoMap":null}`), want: fresh + none},
		{name: "filter servers", in: `{"filterServerList":["a:1","b:2",null,3]}`, want: fresh + "\nfilter servers [\"a:1\" \"b:2\" \"3\"]"},
		{name: "null filter servers", in: `{"filterServerList":null}`, want: fresh + none + " null"},
		{name: "filter servers twice", in: `{"filterServerList":null,"filterServerList":["a"]}`, want: fresh + "\nfilter servers [\"a\"]"},
		{
			name: "smart match", in: `{filter_server_list:['a'],"TopicConfigSerializeWrapper":{DataVersion:{COUNTER:"4",state_version:1.9,TimeStamp:+6},` +
				`"topic-config-table":{K:{TOPIC_NAME:'T',ReadQueueNums:"1",write_queue_nums:2,PERM:4,TopicSysFlag:true,Order:1}}}}`,
			want: "dv {StateVersion:1 Timestamp:6 Counter:4 NoCounter:false}\ntopic \"T\" key \"K\" 1/2 perm 4 flag 1\nfilter servers [\"a\"]",
		},
		{
			name: "unknown members", in: `{"x":[{}],"topicConfigSerializeWrapper":{"y":{"z":NaN},"topicConfigTable":{"K":{"w":[1,[2]],"topicSynFlag":3,"attributes":{"+a":"b"}}}}}`,
			want: fresh + "\ntopic \"K\" key \"K\" 16/16 perm 6 flag 0" + none,
		},
		{name: "topic without members", in: topicBody(`{}`), want: fresh + "\ntopic \"K\" key \"K\" 16/16 perm 6 flag 0" + none},
		{
			name: "topic with null members", in: topicBody(`{"perm":null,"readQueueNums":"","writeQueueNums":null,"topicName":null,"topicSysFlag":null}`),
			want: fresh + "\ntopic \"K\" key \"K\" 16/16 perm 6 flag 0" + none,
		},
		{
			name: "topicName is not the key", in: topicBody(`{"topicName":"T","perm":2,"readQueueNums":1,"writeQueueNums":2,"topicSysFlag":3}`),
			want: fresh + "\ntopic \"T\" key \"K\" 1/2 perm 2 flag 3" + none,
		},
		{name: "empty topicName", in: topicBody(`{"topicName":""}`), want: fresh + "\ntopic \"\" key \"K\" 16/16 perm 6 flag 0" + none},
		{name: "escapes", in: topicBody(`{"topicName":"a\/\u4e3b\x41"}`), want: fresh + "\ntopic \"a/主A\" key \"K\" 16/16 perm 6 flag 0" + none},
		{name: "not UTF-8", in: topicBody("{\"topicName\":\"a\xffb\"}"), want: fresh + "\ntopic \"a\uFFFDb\" key \"K\" 16/16 perm 6 flag 0" + none},
		{name: "key not UTF-8", in: wrapped("{\"topicConfigTable\":{\"\xc3\":{}}}"), want: fresh + "\ntopic \"\uFFFD\" key \"\uFFFD\" 16/16 perm 6 flag 0" + none},
		{name: "keys sent twice", in: wrapped(`{"topicConfigTable":{"K":{"perm":2},"K":{"perm":4}}}`), want: fresh + "\ntopic \"K\" key \"K\" 16/16 perm 4 flag 0" + none},
		{
			name: "one of several keys sent twice", in: wrapped(`{"topicConfigTable":{"K":{},"L":{},"K":{}}}`),
			want: fresh + "\ntopic \"K\" key \"K\" 16/16 perm 6 flag 0\ntopic \"L\" key \"L\" 16/16 perm 6 flag 0\ntopic \"K\" key \"K\" 16/16 perm 6 flag 0" + none,
		},
		{name: "wrapper sent twice", in: `{"topicConfigSerializeWrapper":{"dataVersion":null,"topicConfigTable":{"K":{}}},"topicConfigSerializeWrapper":{}}`, want: fresh + none},
		{name: "mapping without members", in: mappingBody(`{}`), want: fresh + "\nmapping \"K\" {Topic: Scope:__global__ TotalQueues:0 Bname: Epoch:0 Dirty:false CurrIDMap:[]}" + none},
		{
			name: "mapping with null members", in: mappingBody(`{"currIdMap":null,"scope":null,"epoch":null,"dirty":null}`),
			want: fresh + "\nmapping \"K\" {Topic: Scope:__global__ TotalQueues:0 Bname: Epoch:0 Dirty:false CurrIDMap:[]} null" + none,
		},
		{
			name: "mapping's map unsorted, quoted, twice", in: mappingBody(`{"currIdMap":{"7":1,2:3,7:'4',-1:0},"dirty":"true","Total_Queues":9,"scope":"s"}`),
			want: fresh + "\nmapping \"K\" {Topic: Scope:s TotalQueues:9 Bname: Epoch:0 Dirty:true CurrIDMap:[{Logic:-1 Physical:0} {Logic:2 Physical:3} {Logic:7 Physical:4}]}" + none,
		},
		{
			name: "booleans", in: wrapped(`{"topicQueueMappingInfoMap":{"a":{"dirty":2},"b":{"dirty":1.5},"c":{"dirty":'T'},"d":{"dirty":"0"}}}`),
			want: fresh + "\nmapping \"a\" {Topic: Scope:__global__ TotalQueues:0 Bname: Epoch:0 Dirty:false CurrIDMap:[]}" +
				"\nmapping \"b\" {Topic: Scope:__global__ TotalQueues:0 Bname: Epoch:0 Dirty:true CurrIDMap:[]}" +
				"\nmapping \"c\" {Topic: Scope:__global__ TotalQueues:0 Bname: Epoch:0 Dirty:true CurrIDMap:[]}" +
				"\nmapping \"d\" {Topic: Scope:__global__ TotalQueues:0 Bname: Epoch:0 Dirty:false CurrIDMap:[]}" + none,
		},
		{
			name: "before 3.0.11", in: `{"dataVersion":{"counter":1,"timestamp":2},"topicConfigTable":{"K":{}},"topicQueueMappingInfoMap":{"K":{}}}`, version: 36,
			want: "dv {StateVersion:0 Timestamp:2 Counter:1 NoCounter:false}\ntopic \"K\" key \"K\" 16/16 perm 6 flag 0" + none + " null",
		},
		{name: "register body from an old version", in: realBody, version: 36, want: fresh + none + " null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.version == 0 {
				tt.version = Version
			}
			var b RegisterBrokerBody
			if err := b.Decode([]byte(tt.in), tt.version, false, nowMillis); err != nil {
				t.Fatalf("%s: %v", tt.in, err)
			}
			if got := showBody(&b); got != tt.want {
				t.Errorf("%s:\ngot\n%s\nwant\n%s", tt.in, got, tt.want)
			}
		})
	}
}

func TestRegisterBrokerBodyRejected(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in string }{
		{"null", "null"},
		{"array", "[]"},
		{"blank", " "},
		{"text at the end", "{}x"},
		{"null wrapper", wrapped("null")},
		{"wrapper as array", wrapped("[]")},
		{"null topic", topicBody("null")},
		{"topic as string", topicBody(`"T"`)},
		{"int out of range", topicBody(`{"perm":2147483648}`)},
		{"bare integer as topic", wrapped(`{"topicConfigTable":{1:{}}}`)},
		{"topics as array", wrapped(`{"topicConfigTable":[]}`)},
		{"data version as array", wrapped(`{"dataVersion":[]}`)},
		{"counter beyond int64", wrapped(`{"dataVersion":{"counter":9223372036854775808}}`)},
		{"filter servers as object", `{"filterServerList":{}}`},
		{"filter servers as string", `{"filterServerList":"a"}`},
		{"null mapping", mappingBody("null")},
		{"mapping key beyond int32", mappingBody(`{"currIdMap":{2147483648:0}}`)},
		{"mapping key not a number", mappingBody(`{"currIdMap":{a:0}}`)},
		{"mapping key a float", mappingBody(`{"currIdMap":{1.0:0}}`)},
		{"mapping to null", mappingBody(`{"currIdMap":{1:null}}`)},
		{"mapping to beyond int32", mappingBody(`{"currIdMap":{1:2147483648}}`)},
		{"dirty not a boolean", mappingBody(`{"dirty":"maybe"}`)},
		{"x, but not zlib", "x"},
		{"endless nesting", wrapped(`{"y":` + strings.Repeat("[", 1<<20))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b RegisterBrokerBody
			err := b.Decode([]byte(tt.in), Version, false, nowMillis)
			var bodyErr *BodyError
			if !errors.As(err, &bodyErr) {
				t.Errorf("%.100s: %v; want a BodyError\n%s", tt.in, err, showBody(&b))
			}
		})
	}
	var b RegisterBrokerBody
	if err := b.Decode([]byte("{}"), -1, false, nowMillis); !errors.Is(err, ErrVersion) {
		t.Errorf("version -1: %v; want %v", err, ErrVersion)
	}
}

func TestTruncatedRegisterBrokerBody(t *testing.T) {
	var b RegisterBrokerBody
	for n := 1; n < len(realBody); n++ {
		if err := b.Decode([]byte(realBody[:n]), Version, false, nowMillis); err == nil {
			t.Errorf("cut at %d: no error", n)
		}
	}
	compact := loadFrame(t, "compact_body")
	for n := range compact {
		if err := b.Decode(Compress(nil, compact[:n]), Version, true, nowMillis); err == nil {
			t.Errorf("compact, cut at %d: no error", n)
		}
	}
	packed := loadFrame(t, "compact_body_zlib")
	for n := 1; n < len(packed); n++ {
		if err := b.Decode(packed[:n], Version, true, nowMillis); err == nil {
			t.Errorf("compressed, cut at %d: no error", n)
		}
	}
}

func TestCompactExample(t *testing.T) {
	compact, packed := loadFrame(t, "compact_body"), loadFrame(t, "compact_body_zlib")
	if got := BodyCRC32(packed); got != 149664288 {
		t.Errorf("checksum %d, want 149664288", got)
	}
	want := "dv {StateVersion:0 Timestamp:1700000000000 Counter:1 NoCounter:false}\ntopic \"T\" key \"T\" 4/4 perm 6 flag 0" + none
	for _, tt := range []struct {
		name       string
		body       []byte
		compressed bool
	}{
		{"Java's bytes", packed, true},
		{"Java's bytes, not announced", packed, false},
		{"our bytes", Compress(nil, compact), true},
	} {
		var b RegisterBrokerBody
		if err := b.Decode(tt.body, Version, tt.compressed, nowMillis); err != nil || showBody(&b) != want {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", tt.name, err, showBody(&b), want)
		} else if again := b.AppendCompact(nil, Version); !bytes.Equal(again, compact) {
			t.Errorf("%s: written again\n%q\nwant\n%q", tt.name, again, compact)
		}
	}
	if got := Compress([]byte("before"), compact); !bytes.HasPrefix(got, []byte("before\x78\xda")) {
		t.Errorf("Compress appended % x", got)
	}
}

// compactOf puts a compact body together from its pieces; n counts topics.
func compactOf(dv string, n int, lines []string, filters string, mappings ...string) []byte {
	piece := func(dst []byte, s string) []byte {
		return appendPiece(dst, func(dst []byte) []byte { return append(dst, s...) })
	}
	number := func(dst []byte, n int) []byte {
		return append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	b := number(piece(nil, dv), n)
	for _, l := range lines {
		b = piece(b, l)
	}
	b = number(piece(b, filters), len(mappings))
	for _, m := range mappings {
		b = piece(b, m)
	}
	return b
}

func TestCompactBody(t *testing.T) {
	t.Parallel()
	const dv = `{"counter":1,"timestamp":2}`
	const start = "dv {StateVersion:0 Timestamp:2 Counter:1 NoCounter:false}"
	for _, tt := range []struct {
		name    string
		in      []byte
		version int32
		want    string // "" means an error
	}{
		{
			name: "attributes with blanks or garbage", in: compactOf(dv, 2, []string{"A 1 2 3 SINGLE_TAG {x y z", "B 1 2 3 MULTI_TAG "}, "[]"),
			want: start + "\ntopic \"A\" key \"A\" 1/2 perm 3 flag 0\ntopic \"B\" key \"B\" 1/2 perm 3 flag 0" + none,
		},
		{name: "five fields", in: compactOf(dv, 1, []string{"A +1 -2 003 SINGLE_TAG"}, "[]"), want: start + "\ntopic \"A\" key \"A\" 1/-2 perm 3 flag 0" + none},
		{name: "sent twice", in: compactOf(dv, 2, []string{"A 1 1 1 SINGLE_TAG", "A 2 2 2 SINGLE_TAG"}, "[]"), want: start + "\ntopic \"A\" key \"A\" 2/2 perm 2 flag 0" + none},
		{name: "not UTF-8", in: compactOf(dv, 1, []string{"\xff 1 1 1 SINGLE_TAG"}, "[]"), want: start + "\ntopic \"\uFFFD\" key \"\uFFFD\" 1/1 perm 1 flag 0" + none},
		{name: "filter servers", in: compactOf(dv, 0, nil, `["a","b"]`), want: start + "\nfilter servers [\"a\" \"b\"]"},
		{name: "null filter servers", in: compactOf(dv, 0, nil, `null`), want: start + none + " null"},
		{name: "no filter servers", in: compactOf(dv, 0, nil, ``), want: start + none + " null"},
		{name: "bad filter servers", in: compactOf(dv, 0, nil, `["a",}`), want: start + none},
		{name: "null data version", in: compactOf("null", 0, nil, `[]`), want: zero + " null" + none},
		{name: "no data version", in: compactOf("", 0, nil, `[]`), want: zero + " null" + none},
		{
			name: "mapping", in: compactOf(dv, 0, nil, `[]`, `{"topic":"T","currIdMap":{0:1}}`),
			want: start + "\nmapping \"T\" {Topic:T Scope:__global__ TotalQueues:0 Bname: Epoch:0 Dirty:false CurrIDMap:[{Logic:0 Physical:1}]}" + none,
		},
		{name: "mapping from before 5.0.0 is not read", in: compactOf(dv, 0, nil, `[]`, `garbage`), version: 412, want: start + none},
		{name: "no mapping section before 5.0.0", in: compactOf(dv, 0, nil, `[]`)[:12+len(dv)-2+4], version: 412, want: start + none},
		{name: "bytes after the end", in: append(compactOf(dv, 0, nil, `[]`), "garbage"...), want: start + none},

		{name: "no mapping section", in: compactOf(dv, 0, nil, `[]`)[:12+len(dv)-2+4]},
		{name: "four fields", in: compactOf(dv, 1, []string{"A 1 2 3"}, "[]")},
		{name: "two blanks", in: compactOf(dv, 1, []string{"A  1 2 3 SINGLE_TAG"}, "[]")},
		{name: "bad number", in: compactOf(dv, 1, []string{"A 1 x 3 SINGLE_TAG"}, "[]")},
		{name: "number beyond int32", in: compactOf(dv, 1, []string{"A 1 2 2147483648 SINGLE_TAG"}, "[]")},
		{name: "unknown filter type", in: compactOf(dv, 1, []string{"A 1 2 3 NO_TAG"}, "[]")},
		{name: "bad data version", in: compactOf("{", 0, nil, "[]")},
		{name: "data version as array", in: compactOf("[]", 0, nil, "[]")},
		{name: "more topics announced than sent", in: compactOf(dv, 2, []string{"A 1 2 3 SINGLE_TAG"}, "[]")},
		{name: "two billion topics announced", in: compactOf(dv, 1<<31-1, nil, "[]")},
		{name: "negative count", in: compactOf(dv, -1, nil, "[]")},
		{name: "mapping without topic", in: compactOf(dv, 0, nil, `[]`, `{}`)},
		{name: "null mapping", in: compactOf(dv, 0, nil, `[]`, `null`)},
		{name: "bad mapping", in: compactOf(dv, 0, nil, `[]`, `{"topic":"T"}}`)},
		{name: "length beyond the end", in: []byte{0, 0, 1, 0, '{', '}'}},
		{name: "negative length", in: []byte{255, 255, 255, 255, '{', '}'}},
		{name: "nothing inside", in: nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.version == 0 {
				tt.version = Version
			}
			var b RegisterBrokerBody
			err := b.Decode(Compress(nil, tt.in), tt.version, true, nowMillis)
			var bodyErr *BodyError
			switch {
			case tt.want == "" && !errors.As(err, &bodyErr):
				t.Errorf("%q: %v; want a BodyError\n%s", tt.in, err, showBody(&b))
			case tt.want != "" && (err != nil || showBody(&b) != tt.want):
				t.Errorf("%q: %v, got\n%s\nwant\n%s", tt.in, err, showBody(&b), tt.want)
			}
		})
	}
}

func TestInflateLimit(t *testing.T) {
	plain := append(compactOf("{}", 0, nil, "[]"), make([]byte, 1<<20)...)
	bomb := Compress(nil, plain)
	var b RegisterBrokerBody
	inflate := func(body []byte, limit int) error { return b.inflate(body, true, nowMillis, limit) }
	if err := inflate(bomb, len(plain)-1); !errors.Is(err, ErrInflatedTooLarge) {
		t.Errorf("one byte over the limit: %v; want %v", err, ErrInflatedTooLarge)
	}
	if err := inflate(bomb, len(plain)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	var bodyErr *BodyError
	if err := inflate(Compress(nil, nil), 0); !errors.As(err, &bodyErr) {
		t.Errorf("nothing: %v; want a BodyError", err)
	}
	broken := bytes.Clone(bomb)
	broken[len(broken)-1]++
	if err := inflate(broken, len(plain)); !errors.As(err, &bodyErr) {
		t.Errorf("wrong checksum: %v; want a BodyError", err)
	}
	if err := inflate(bomb[:len(bomb)-20], len(plain)); !errors.As(err, &bodyErr) || bodyErr.Offset > len(bomb) {
		t.Errorf("cut short: %v; want a BodyError", err)
	}
	// A reader that failed is not kept in a state that spoils the next body.
	if err := inflate(bomb, len(plain)); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}

func TestRegisterBrokerBodyIsUsedAgain(t *testing.T) {
	var b RegisterBrokerBody
	bodies := [][]byte{
		[]byte(realBody), Compress(nil, compactOf(`{"counter":1}`, 1, []string{"A 1 2 3 SINGLE_TAG"}, `["f"]`)), []byte("{"), []byte("{}"),
	}
	for i, body := range bodies {
		err := b.Decode(body, Version, false, nowMillis)
		var fresh RegisterBrokerBody
		freshErr := fresh.Decode(body, Version, false, nowMillis)
		if (err == nil) != (freshErr == nil) || err == nil && showBody(&b) != showBody(&fresh) {
			t.Errorf("body %d: %v, %v; got\n%s\nwant\n%s", i, err, freshErr, showBody(&b), showBody(&fresh))
		}
	}
}

// manyTopics returns a body of n topics as a large broker sends it.
func manyTopics(n int) *RegisterBrokerBody {
	rng := rand.New(rand.NewPCG(1, 2))
	b := &RegisterBrokerBody{DataVersion: DataVersion{Counter: 7, Timestamp: 1700000000000}, FilterServers: []string{}}
	for i := range n {
		name := fmt.Appendf(nil, "ORDER_CENTER_%06d_%04x", i, rng.Uint32N(1<<16))
		b.Topics = append(b.Topics, TopicConfig{Name: name, Key: name, ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
	}
	return b
}

func TestRegisterBrokerBodyRoundTrip(t *testing.T) {
	b := manyTopics(1000)
	b.Mappings = []RegisteredMapping{{Key: "s", Info: TopicQueueMappingInfo{Topic: "s", Scope: "x", TotalQueues: 3, Bname: "b", Epoch: 9, Dirty: true, CurrIDMap: []QueueID{{0, 1}, {5, 0}}}}}
	b.FilterServers = []string{"f:1"}
	want := showBody(b)
	for name, body := range map[string][]byte{
		"JSON":    b.AppendJSON(nil),
		"compact": Compress(nil, b.AppendCompact(nil, V5_0_0)),
	} {
		var got RegisterBrokerBody
		if err := got.Decode(body, V5_0_0, name == "compact", nowMillis); err != nil || showBody(&got) != want {
			t.Errorf("%s: %v, got\n%.500s\nwant\n%.500s", name, err, showBody(&got), want)
		}
	}
}

func FuzzRegisterBrokerBody(f *testing.F) {
	f.Add([]byte(realBody), int32(Version))
	f.Add([]byte(`{"dataVersion":{},"topicConfigTable":{}}`), int32(36))
	f.Add(loadFrame(f, "compact_body"), int32(Version))
	f.Add(loadFrame(f, "compact_body_zlib"), int32(412))
	f.Fuzz(func(t *testing.T, body []byte, version int32) {
		var b RegisterBrokerBody
		if b.Decode(body, version, false, nowMillis) == nil && version >= V3_0_11 {
			checkBodyAgain(t, &b, b.AppendJSON(nil), false)
		}
		// Most random bytes are no zlib stream; what is inside one matters more.
		b.reset(nowMillis)
		if b.decodeCompact(body, version >= V5_0_0, nowMillis) == nil {
			checkBodyAgain(t, &b, b.AppendCompact(nil, Version), true)
		}
	})
}

// checkBodyAgain checks that b was written to body without loss.
func checkBodyAgain(t *testing.T, b *RegisterBrokerBody, body []byte, compact bool) {
	t.Helper()
	b.DataVersion.NoCounter = false // is left out, and then reads as 0
	want := showBody(b)
	var got RegisterBrokerBody
	got.reset(nowMillis)
	var err error
	if compact {
		err = got.decodeCompact(body, true, nowMillis)
	} else {
		err = got.decodeJSON(body, "RegisterBrokerBody", nowMillis, nil)
	}
	if err != nil || showBody(&got) != want {
		t.Errorf("written again as\n%q\n%v, got\n%s\nwant\n%s", body, err, showBody(&got), want)
	}
}
