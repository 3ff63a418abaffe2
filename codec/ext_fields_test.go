package codec

import (
	"math"
	"slices"
	"testing"
)

func TestExtFieldsGet(t *testing.T) {
	e := extFields("topic", "T", "Topic", "U", "topic", "V", "empty", "")
	for _, tt := range []struct {
		name, want string
		ok         bool
	}{{"topic", "V", true}, {"Topic", "U", true}, {"TOPIC", "", false}, {"topi", "", false}, {"empty", "", true}} {
		if v, ok := e.Get(tt.name); string(v) != tt.want || ok != tt.ok {
			t.Errorf("Get(%s) = %q, %t; want %q, %t", tt.name, v, ok, tt.want, tt.ok)
		}
	}
	if v := e.text("empty"); v == nil {
		t.Error("a value that was sent empty reads as absent")
	}
	if v := e.text("none"); v != nil {
		t.Errorf("absent field reads as %q", v)
	}
}

func TestExtFieldsInt(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true},
		{"1", 1, true},
		{"-1", -1, true},
		{"+7", 7, true},
		{"007", 7, true},
		{"-0", 0, true},
		{"9223372036854775807", math.MaxInt64, true},
		{"-9223372036854775808", math.MinInt64, true},
		{"9223372036854775808", 0, false},
		{"-9223372036854775809", 0, false},
		{"99999999999999999999", 0, false},
		{"", 0, false},
		{"-", 0, false},
		{"+", 0, false},
		{"+-1", 0, false},
		{" 1", 0, false},
		{"1 ", 0, false},
		{"1.0", 0, false},
		{"1e3", 0, false},
		{"0x1", 0, false},
		{"1_000", 0, false},
		{"one", 0, false},
		{"null", 0, false},
	} {
		if v, ok := extFields("n", tt.in).Int64("n"); ok != tt.ok || ok && v != tt.want {
			t.Errorf("Int64(%q) = %d, %t; want %d, %t", tt.in, v, ok, tt.want, tt.ok)
		}
	}
	for _, tt := range []struct {
		in   string
		want int32
		ok   bool
	}{
		{"2147483647", math.MaxInt32, true},
		{"-2147483648", math.MinInt32, true},
		{"2147483648", 0, false},
		{"-2147483649", 0, false},
		{"x", 0, false},
	} {
		if v, ok := extFields("n", tt.in).Int32("n"); v != tt.want || ok != tt.ok {
			t.Errorf("Int32(%q) = %d, %t; want %d, %t", tt.in, v, ok, tt.want, tt.ok)
		}
	}
	if v, ok := extFields("n", "1").Int64("m"); v != 0 || ok {
		t.Errorf("Int64 of an absent field = %d, %t", v, ok)
	}
}

func TestExtFieldsBool(t *testing.T) {
	for in, want := range map[string]bool{"true": true, "TRUE": true, "tRuE": true, "false": false, "1": false, "true ": false, "": false, "yes": false, "\x14rue": false} {
		if v, ok := extFields("b", in).Bool("b"); v != want || !ok {
			t.Errorf("Bool(%q) = %t, %t; want %t, true", in, v, ok, want)
		}
	}
	// Each letter counts, and its neighbours are no letters of the word.
	for i := range 4 {
		for c := range 256 {
			in := []byte("true")
			in[i] = byte(c)
			want := byte(c) == "true"[i] || byte(c) == "TRUE"[i]
			if v, ok := (ExtFields{{[]byte("b"), in}}).Bool("b"); v != want || !ok {
				t.Errorf("Bool(%q) = %t, %t; want %t, true", in, v, ok, want)
			}
		}
	}
	if v, ok := (ExtFields)(nil).Bool("b"); v || ok {
		t.Errorf("Bool of an absent field = %t, %t", v, ok)
	}
}

func TestRegisterBrokerRequestHeader(t *testing.T) {
	var c Command
	if err := c.Decode(loadFrame(t, "register_slave_request")); err != nil {
		t.Fatal(err)
	}
	var h RegisterBrokerRequestHeader
	h.Decode(c.Ext)
	if string(h.BrokerName) != "a" || string(h.BrokerAddr) != "10.0.0.2:10911" || string(h.ClusterName) != "C" ||
		string(h.HAServerAddr) != "10.0.0.2:10912" || h.BrokerID != 1 || !h.HasBrokerID || h.HasHeartbeatTimeoutMillis ||
		h.EnableActingMaster || !h.HasEnableActingMaster || h.Compressed || h.BodyCRC32 != 385843084 || h.ZoneName != nil {
		t.Errorf("got %+v", h)
	}
	if got := BodyCRC32(c.Body); got != h.BodyCRC32 {
		t.Errorf("checksum of the body is %d, header says %d", got, h.BodyCRC32)
	}
	h.Decode(extFields("bodyCrc32", "4294967295", "brokerId", "x", "heartbeatTimeoutMillis", "10000", "compressed", "TRUE", "__ZONE_NAME", "z", "enableActingMaster", "true"))
	if h.BodyCRC32 != 0 || h.HasBrokerID || h.HeartbeatTimeoutMillis != 10000 || !h.HasHeartbeatTimeoutMillis || !h.Compressed ||
		string(h.ZoneName) != "z" || !h.EnableActingMaster || h.BrokerName != nil {
		t.Errorf("got %+v", h)
	}
}

func TestTypedHeaders(t *testing.T) {
	ext := extFields("brokerName", "n", "brokerAddr", "a", "clusterName", "c", "brokerId", "-3", "topic", "t", "cluster", "k",
		"namespace", "ns", "key", "ky", "value", "v", "acceptStandardJsonOnly", "True", "__ZONE_MODE", "TRUE", "__ZONE_NAME", "z")
	var (
		unregister UnregisterBrokerRequestHeader
		heartbeat  BrokerHeartbeatRequestHeader
		query      QueryDataVersionRequestHeader
		group      GetBrokerMemberGroupRequestHeader
		perm       WritePermRequestHeader
		route      GetRouteInfoRequestHeader
		topic      TopicRequestHeader
		byCluster  GetTopicsByClusterRequestHeader
		kv         KVConfigRequestHeader
	)
	unregister.Decode(ext)
	heartbeat.Decode(ext)
	query.Decode(ext)
	group.Decode(ext)
	perm.Decode(ext)
	route.Decode(ext)
	topic.Decode(ext)
	byCluster.Decode(ext)
	kv.Decode(ext)
	for _, tt := range []struct {
		name string
		got  [][]byte
		want string
	}{
		{"unregister", [][]byte{unregister.BrokerName, unregister.BrokerAddr, unregister.ClusterName}, "nac"},
		{"heartbeat", [][]byte{heartbeat.BrokerName, heartbeat.BrokerAddr, heartbeat.ClusterName}, "nac"},
		{"query", [][]byte{query.BrokerName, query.BrokerAddr, query.ClusterName}, "nac"},
		{"group", [][]byte{group.BrokerName, group.ClusterName}, "nc"},
		{"perm", [][]byte{perm.BrokerName}, "n"},
		{"route", [][]byte{route.Topic, route.ZoneName}, "tz"},
		{"topic", [][]byte{topic.Topic, topic.ClusterName}, "tc"},
		{"by cluster", [][]byte{byCluster.Cluster}, "k"},
		{"kv", [][]byte{kv.Namespace, kv.Key, kv.Value}, "nskyv"},
	} {
		got := ""
		for _, b := range tt.got {
			got += string(b)
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	if unregister.BrokerID != -3 || !unregister.HasBrokerID || query.BrokerID != -3 || !query.HasBrokerID {
		t.Errorf("broker ids %d, %d; want -3", unregister.BrokerID, query.BrokerID)
	}
	if !route.AcceptStandardJSONOnly || !route.ZoneMode {
		t.Errorf("got %+v", route)
	}
	route.Decode(slices.Clip(extFields("topic", "t", "topic", "u", "__ZONE_MODE", "no"))) // nothing stands behind the last field
	if string(route.Topic) != "u" || route.ZoneMode || route.AcceptStandardJSONOnly || route.ZoneName != nil {
		t.Errorf("got %+v", route)
	}
}
