package codec

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// hostileBodies are bodies that cost many times what it costs to send them.
func hostileBodies() map[string][]byte {
	const n = 1 << 14
	list := func(before, entry, after string) []byte {
		return []byte(before + strings.Repeat(entry+",", n-1) + entry + after)
	}
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprint("T", i, " 1 1 6 MULTI_TAG")
	}
	mappings := make([]string, n)
	for i := range mappings {
		mappings[i] = `{"topic":"T"}`
	}
	var queues strings.Builder
	for i := range n {
		fmt.Fprintf(&queues, "%d:1,", i)
	}
	const topics, mapping = `{"topicConfigSerializeWrapper":{"topicConfigTable":{`, `{"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":{`
	zlib := func(body []byte) []byte { return Compress(nil, body) }
	return map[string][]byte{
		"topics":         list(topics, `"":{}`, `}}}`),
		"usual topics":   list(topics, `"T":{"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":8}`, `}}}`),
		"mappings":       list(mapping, `"":{}`, `}}}`),
		"queues":         []byte(mapping + `"":{"currIdMap":{` + queues.String() + `}}}}}`),
		"filter servers": list(`{"filterServerList":[`, `"f"`, `]}`),
		"escapes":        []byte(topics + `"T":{"topicName":"` + strings.Repeat(`\n`, 1<<20) + `"}}}}`),
		"not UTF-8":      list(topics+`"T":{"topicName":"`, "\xff", `"}}}}`),
		"values as text": list(topics+`"T":{"topicName":[`, "\"\x01\"", `]}}}}`),
		"a float":        []byte(topics + `"T":{"perm":1.` + strings.Repeat("0", 1<<20) + `}}}}`),
		"commas":         list(topics+`"T":{"perm":"`, "0", `"}}}}`),

		"compact topics":         zlib(compactOf("{}", n, lines, "[]")),
		"compact name":           zlib(compactOf("{}", 1, []string{strings.Repeat("A", 1<<20) + " 1 1 6 MULTI_TAG"}, "[]")),
		"compact line":           zlib(compactOf("{}", 1, []string{"A 1 1 6 MULTI_TAG " + strings.Repeat("A", 1<<20)}, "[]")),
		"compact mappings":       zlib(compactOf("{}", 0, nil, "[]", mappings...)),
		"compact filter servers": zlib(compactOf("{}", 0, nil, string(list("[", `""`, "]")))),
		"compact data version":   zlib(compactOf(string(list(`{"x":["`, `\n`, `"]}`)), 0, nil, "[]")),
		"bytes after the end":    zlib(append(compactOf("{}", 0, nil, "[]"), make([]byte, 4<<20)...)),
		"count of two billion":   zlib(compactOf("{}", 1<<31-1, nil, "[]")),
		"length of 50 MiB":       zlib([]byte{3, 0x20, 0, 0, 0}),
	}
}

// allocated returns how many bytes f allocates, what is garbage again included.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// Whatever a body says, what is allocated for it was reserved before, but for
// some that is garbage at once.
func TestDecodingReserves(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine decodes bodies of a million entries")
	}
	const slack = 160 << 10 // what a zlib reader has of its own, and buffers of every body
	for name, body := range hostileBodies() {
		var without RegisterBrokerBody
		want := without.Decode(body, Version, false, nowMillis)
		wantText := showBody(&without)
		for _, limit := range []int{1 << 30, 512 << 10, 1 << 10} {
			reserved := 0
			b := RegisterBrokerBody{Reserve: func(n int) bool {
				if n <= 0 || reserved+n > limit {
					return false
				}
				reserved += n
				return true
			}}
			var err error
			used := allocated(func() { err = b.Decode(body, Version, false, nowMillis) })
			if used > reserved+reserved/8+slack {
				t.Errorf("%s, limit %d: %d bytes allocated, %d reserved", name, limit, used, reserved)
			}
			if kept := b.kept(); kept > reserved {
				t.Errorf("%s, limit %d: %d bytes held, %d reserved", name, limit, kept, reserved)
			}
			switch {
			case errors.Is(err, ErrNoMemory):
				if limit == 1<<30 {
					t.Errorf("%s: refused though everything was granted", name)
				}
			case (err == nil) != (want == nil) || err == nil && showBody(&b) != wantText:
				t.Errorf("%s, limit %d: %v; without a limit %v", name, limit, err, want)
			}
		}
	}
}

// What is refused leaves a body that can be used again, and what is left of the
// last body counts for the next.
func TestReserveAgain(t *testing.T) {
	room := 0
	b := RegisterBrokerBody{Reserve: func(n int) bool {
		if room < n {
			return false
		}
		room -= n
		return true
	}}
	topics := hostileBodies()["topics"]
	decode := func(has int, body []byte) (used int, err error) {
		room = has
		err = b.Decode(body, Version, false, nowMillis)
		return has - room, err
	}
	first, err := decode(1<<30, topics)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := decode(1<<30, topics); err != nil || again < len(b.Topics)*64 || again > first {
		t.Errorf("the same again: %d bytes reserved, %d the first time, %v", again, first, err)
	}
	if used, err := decode(100<<10, []byte(realBody)); err != nil || used == 0 || b.kept() > 100<<10 {
		t.Errorf("a small body: %d bytes reserved, %d held, %v; want what is left to be given up for it", used, b.kept(), err)
	}
	if _, err := decode(100<<10, topics); !errors.Is(err, ErrNoMemory) {
		t.Errorf("with little: %v, want ErrNoMemory", err)
	}
}

// Memory is reserved too for what is known, and for the search for topics that
// may be there twice when some of a body is known.
func TestReserveOfKnownTopics(t *testing.T) {
	const n = 1 << 16
	body := func(changed int) []byte {
		text := []byte(`{"topicConfigSerializeWrapper":{"topicConfigTable":{`)
		for i := range n {
			perm := 6
			if i < changed {
				perm = 4
			}
			text = fmt.Appendf(text, `"T%d":{"perm":%d},`, i, perm)
		}
		return append(text, `}}}`...)
	}
	var b RegisterBrokerBody
	if err := b.Decode(body(0), Version, false, nowMillis); err != nil {
		t.Fatal(err)
	}
	known := b.Said
	for _, changed := range []int{0, n / 2} {
		reserved := 0
		b := RegisterBrokerBody{Reserve: func(n int) bool { reserved += n; return true }}
		var err error
		text := body(changed)
		used := allocated(func() { err = b.DecodeKnown(text, Version, false, nowMillis, known) })
		if err != nil || b.TopicCount() != n || used > reserved+reserved/4+160<<10 {
			t.Errorf("%d of %d topics changed: %v, %d bytes allocated, %d reserved", changed, n, err, used, reserved)
		}
	}
}

// hostileRoutes are the same of REGISTER_TOPIC_IN_NAMESRV.
func hostileRoutes() map[string][]byte {
	const n = 1 << 14
	list := func(before, entry, after string) []byte {
		return []byte(before + strings.Repeat(entry+",", n-1) + entry + after)
	}
	return map[string][]byte{
		"queues":                list(`{"queueDatas":[`, `{}`, `]}`),
		"queue names":           list(`{"queueDatas":[`, `{"brokerName":"broker-a-of-some-length"}`, `]}`),
		"brokers":               list(`{"brokerDatas":[`, `{}`, `]}`),
		"broker texts":          list(`{"brokerDatas":[`, `{"cluster":"cluster-of-some-length","brokerName":"name","zoneName":"zone"}`, `]}`),
		"addresses":             list(`{"brokerDatas":[{"brokerAddrs":{`, `1:"127.0.0.1:10911"`, `}}]}`),
		"filter servers":        list(`{"filterServerTable":{`, `"":[]`, `}}`),
		"filter servers of one": list(`{"filterServerTable":{"a":[`, `""`, `]}}`),
		"mappings":              list(`{"topicQueueMappingByBroker":{`, `"":{}`, `}}`),
		"queues of one":         list(`{"topicQueueMappingByBroker":{"":{"currIdMap":{`, `1:1`, `}}}}`),
		"names not UTF-8":       list(`{"topicQueueMappingByBroker":{`, "\"\xff\xff\xff\":{}", `}}`),
		"order":                 []byte(`{"orderTopicConf":"` + strings.Repeat("b:1;", n) + `"}`),
	}
}

// The same holds for what a broker says of one topic.
func TestDecodingRouteReserves(t *testing.T) {
	const slack = 16 << 10
	for name, body := range hostileRoutes() {
		var want TopicRouteData
		wantErr := want.Decode(body)
		for _, limit := range []int{1 << 30, 128 << 10, 1 << 10} {
			reserved := 0
			reserve := func(n int) bool {
				if n <= 0 || reserved+n > limit {
					return false
				}
				reserved += n
				return true
			}
			var d TopicRouteData
			var err error
			used := allocated(func() { err = d.DecodeWithin(body, reserve) })
			if used > reserved+reserved/8+slack {
				t.Errorf("%s, limit %d: %d bytes allocated, %d reserved", name, limit, used, reserved)
			}
			switch {
			case errors.Is(err, ErrNoMemory):
				if limit == 1<<30 {
					t.Errorf("%s: refused though everything was granted", name)
				}
			case limit == 1<<10:
				t.Errorf("%s: %v, want ErrNoMemory", name, err)
			case (err == nil) != (wantErr == nil) || !reflect.DeepEqual(d, want):
				t.Errorf("%s, limit %d: %v; without a limit %v", name, limit, err, wantErr)
			}
		}
	}
}
