package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// javaClusterInfos are answers of Java name servers to GET_BROKER_CLUSTER_INFO, the
// first two as they were recorded.
var javaClusterInfos = map[string]ClusterInfo{
	`{"brokerAddrTable":{"b":{"brokerAddrs":{0:"m:1",1:"s:1"},"brokerName":"b","cluster":"c"}},"clusterAddrTable":{"c":["b"]}}`: { // 4.9.7
		BrokerAddrTable:  []BrokerData{{Cluster: "c", BrokerName: "b", BrokerAddrs: []BrokerAddr{{0, "m:1"}, {1, "s:1"}}}},
		ClusterAddrTable: []ClusterNames{{"c", []string{"b"}}},
	},
	`{"brokerAddrTable":{},"clusterAddrTable":{}}`: {BrokerAddrTable: []BrokerData{}, ClusterAddrTable: []ClusterNames{}},
	`{"clusterAddrTable":{"c":["e","b"]},"brokerAddrTable":{"e":{"brokerAddrs":{"2":"s:2","0":"m:2"},"cluster":"c","brokerName":"e","enableActingMaster":true,"zoneName":"z"},"b":{"brokerAddrs":{0:"m\/1"},"zoneName":null,"new":{"x":[1]}}}}`: {
		BrokerAddrTable: []BrokerData{
			{BrokerName: "b", BrokerAddrs: []BrokerAddr{{0, "m/1"}}},
			{Cluster: "c", BrokerName: "e", BrokerAddrs: []BrokerAddr{{0, "m:2"}, {2, "s:2"}}, EnableActingMaster: true, ZoneName: "z", HasZoneName: true},
		},
		ClusterAddrTable: []ClusterNames{{"c", []string{"b", "e"}}},
	},
	`{"brokerAddrTable":null}`: {},
	`{}`:                       {},
}

func TestDecodeClusterInfo(t *testing.T) {
	for text, want := range javaClusterInfos {
		var got ClusterInfo
		if err := got.DecodeWithin([]byte(text), nil); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", text, got, err, want)
		}
		var again ClusterInfo
		if err := again.DecodeWithin(got.AppendJSON(nil), nil); err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
			t.Errorf("%s, written and read again: %+v, %v", text, again, err)
		}
	}
	for _, text := range []string{``, `[]`, `{"brokerAddrTable":[]}`, `{"brokerAddrTable":{"b":1}}`, `{"brokerAddrTable":{"b":{"brokerAddrs":{"x":"a"}}}}`, `{"clusterAddrTable":{"c":{}}}`, `{"brokerAddrTable":{"b":{`, `{} x`} {
		var got ClusterInfo
		var bad *BodyError
		if err := got.DecodeWithin([]byte(text), nil); !errors.As(err, &bad) {
			t.Errorf("%s: %v, want a BodyError", text, err)
		}
	}
	large := `{"brokerAddrTable":{` + strings.Repeat(`"b":{},`, 10_000) + `},"clusterAddrTable":{` + strings.Repeat(`"b":[],`, 10_000) + `}}`
	for _, room := range []int{0, 100 << 10, 1 << 20} {
		left := room
		err := new(ClusterInfo).DecodeWithin([]byte(large), func(n int) bool { left -= n; return left >= 0 })
		if !errors.Is(err, ErrNoMemory) {
			t.Errorf("with room for %d bytes: %v, want %v", room, err, ErrNoMemory)
		}
	}
}

func TestEachTopic(t *testing.T) {
	for text, want := range map[string]string{
		`{"topicList":["TopicB","TopicA"]}`:                             "TopicB TopicA",
		`{"brokerAddr":"a:1","topicList":["%RETRY%g","a\/b","\u8ba2"]}`: "%RETRY%g a/b 订",
		`{"topicList":[]}`:               "",
		`{"topicList":null,"other":[1]}`: "",
		`{}`:                             "",
	} {
		var got []string
		err := EachTopic([]byte(text), func(name []byte) bool { got = append(got, string(name)); return true })
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{``, `[]`, `{"topicList":{}}`, `{"topicList":["a`, `{"topicList":["a"]`, `{"topicList":["a"]} x`} {
		var bad *BodyError
		if err := EachTopic([]byte(text), func([]byte) bool { return true }); !errors.As(err, &bad) {
			t.Errorf("%s: %v, want a BodyError", text, err)
		}
	}
	calls := 0
	if err := EachTopic([]byte(`{"topicList":["a","b"]}`), func([]byte) bool { calls++; return false }); err != nil || calls != 1 {
		t.Errorf("f has returned false, and is called %d times: %v", calls, err)
	}
}

// TestDecodeKVTable reads answers to GET_KVLIST_BY_NAMESPACE, the first two as Java sends
// them: the order is that of its hash table.
func TestDecodeKVTable(t *testing.T) {
	for text, want := range map[string]KVTable{
		`{"table":{"TopicB":"broker-a:8;broker-b:8","TopicA":""}}`: {[]Field{{"TopicA", ""}, {"TopicB", "broker-a:8;broker-b:8"}}},
		`{"table":{}}`: {[]Field{}},
		`{"table":{"a\/b":"\u8ba2","null":null},"new":{"x":[1]}}`: {[]Field{{"a/b", "订"}}},
		`{"table":{"k":1,"k":"2"}}`:                               {[]Field{{"k", "2"}}},
		`{"table":null}`:                                          {},
		`{}`:                                                      {},
	} {
		var got, again KVTable
		if err := got.DecodeWithin([]byte(text), nil); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", text, got, err, want)
		}
		if err := again.DecodeWithin(got.AppendJSON(nil), nil); err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
			t.Errorf("%s, written and read again: %+v, %v", text, again, err)
		}
	}
	for _, text := range []string{``, `[]`, `{"table":[]}`, `{"table":{"k":"v"`, `{"table":{"k"}}`, `{} x`} {
		var got KVTable
		var bad *BodyError
		if err := got.DecodeWithin([]byte(text), nil); !errors.As(err, &bad) {
			t.Errorf("%s: %v, want a BodyError", text, err)
		}
	}
	large := []byte(`{"table":{` + strings.Repeat(`"key":"value",`, 10_000) + `}}`)
	for _, room := range []int{0, 100 << 10, 4 << 20} {
		left := room
		err := new(KVTable).DecodeWithin(large, func(n int) bool { left -= n; return left >= 0 })
		if (err != nil) != (room < 4<<20) || err != nil && !errors.Is(err, ErrNoMemory) {
			t.Errorf("with room for %d bytes: %v", room, err)
		}
	}
}

func FuzzDecodeAnswers(f *testing.F) {
	for text := range javaClusterInfos {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"topicList":["TopicB","TopicA"]}`))
	f.Add([]byte(`{"table":{"TopicB":"broker-a:8","TopicA":null}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var c ClusterInfo
		if c.DecodeWithin(body, nil) == nil {
			if err := c.DecodeWithin(c.AppendJSON(nil), nil); err != nil {
				t.Errorf("%q, written again: %v", body, err)
			}
		}
		var kv KVTable
		if kv.DecodeWithin(body, nil) == nil {
			if err := kv.DecodeWithin(kv.AppendJSON(nil), nil); err != nil {
				t.Errorf("%q, written again: %v", body, err)
			}
		}
		_ = EachTopic(body, func([]byte) bool { return true })
	})
}
