package namesrv_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// recorded returns a frame exchanged with a Java name server.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	dump, err := os.ReadFile(filepath.Join("..", "..", "codec", "testdata", "frames", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(dump)) {
		line, _, _ = strings.Cut(line, "|")
		_, line, _ = strings.Cut(line, " ")
		digits.WriteString(strings.ReplaceAll(strings.TrimSpace(line), " ", ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

// TestRecordedFrames plays requests recorded from Java peers to the server and
// compares its replies, byte for byte, with those of a Java name server.
func TestRecordedFrames(t *testing.T) {
	master := nstest.Broker{Cluster: "C", Name: "a", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"T", "U"}}
	play := func(t *testing.T, c *nstest.Client, request, reply string) {
		t.Helper()
		c.Write(recorded(t, request))
		want := recorded(t, reply)
		if got := c.ReadFrame(); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", request, got, want)
		}
	}
	t.Run("JSON server", func(t *testing.T) {
		s := start(t, nil)
		c := s.dial(t)
		register := master.Register()
		for i := range register.Ext {
			if string(register.Ext[i].Name) == "haServerAddr" {
				register.Ext[i].Value = []byte("10.0.0.1:10912")
			}
		}
		wantCode(t, c.Do(register), codec.RespSuccess, "")
		play(t, c, "route_request", "route_reply")
		play(t, c, "route_legacy_request", "route_legacy_reply")
		play(t, c, "route_miss_binary_request", "route_miss_reply")
		play(t, c, "query_data_version_binary_request", "query_data_version_reply")
		play(t, c, "unknown_code_request", "unknown_code_reply")
		c.Write(recorded(t, "heartbeat_oneway_request")) // no reply
		play(t, c, "register_slave_request", "register_slave_reply")
	})
	t.Run("ROCKETMQ server", func(t *testing.T) {
		s := start(t, func(c *namesrv.Config) { c.SerializeType = codec.SerializeRocketMQ })
		c := s.dial(t)
		register := master.Register()
		for i := range register.Ext {
			if string(register.Ext[i].Name) == "haServerAddr" {
				register.Ext[i].Value = []byte("10.0.0.1:10912")
			}
		}
		wantCode(t, c.Do(register), codec.RespSuccess, "")
		play(t, c, "route_miss_binary_request", "route_miss_binary_reply")
		play(t, c, "register_slave_request", "register_slave_binary_reply")
	})
}

// ext returns one ext field of a reply, "none" when it is absent.
func ext(reply *codec.Command, name string) string {
	if v, ok := reply.Ext.Get(name); ok {
		return string(v)
	}
	return "none"
}

func TestRegisterBroker(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	reply := c.Do(slaveA.Register())
	if ext(reply, "masterAddr") != brokerA.Addr || ext(reply, "haServerAddr") != brokerA.Addr+"1" {
		t.Errorf("the slave is told %v", reply.Ext)
	}
	t.Run("zlib body", func(t *testing.T) {
		for i, compressed := range []string{"true", "false"} { // 5.x brokers say false
			body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: int64(2 + i)}}
			name := []byte("zipped-" + compressed)
			for _, n := range [][]byte{name, []byte("T")} {
				body.Topics = append(body.Topics, codec.TopicConfig{Name: n, Key: n, ReadQueueNums: 3, WriteQueueNums: 3, Perm: 6})
			}
			r := brokerA.Register()
			r.Body = codec.Compress(nil, body.AppendCompact(nil, codec.Version))
			for i := range r.Ext {
				if string(r.Ext[i].Name) == "bodyCrc32" {
					r.Ext[i].Value = []byte("0")
				}
				if string(r.Ext[i].Name) == "compressed" {
					r.Ext[i].Value = []byte(compressed)
				}
			}
			wantCode(t, c.Do(r), codec.RespSuccess, "")
			wantCode(t, c.Do(nstest.Route(string(name))), codec.RespSuccess, "")
		}
	})
	t.Run("before 3.0.11 the body is the topic table alone", func(t *testing.T) {
		r := nstest.Request(codec.ReqRegisterBroker, "brokerName", "old", "brokerAddr", "o:1", "clusterName", "C", "brokerId", "0")
		r.Version = 36
		r.Body = []byte(`{"dataVersion":{"counter":1,"timestamp":5},"topicConfigTable":{"Old1":{"topicName":"Old1"},"Old2":{"topicName":"Old2"}}}`)
		wantCode(t, c.Do(r), codec.RespSuccess, "")
		body := c.Do(nstest.Route("Old1")).Body
		if !bytes.Contains(body, []byte(`"perm":6,"readQueueNums":16,"topicSysFlag":0,"writeQueueNums":16`)) {
			t.Errorf("route is %s", body)
		}
	})
	t.Run("a topic without name is called by its key", func(t *testing.T) {
		r := nstest.Request(codec.ReqRegisterBroker, "brokerName", "nameless", "brokerAddr", "n:1", "clusterName", "C", "brokerId", "0")
		r.Body = []byte(`{"topicConfigSerializeWrapper":{"topicConfigTable":{"Key1":{},"Key2":{"topicName":null}}}}`)
		wantCode(t, c.Do(r), codec.RespSuccess, "")
		wantCode(t, c.Do(nstest.Route("Key1")), codec.RespSuccess, "")
		wantCode(t, c.Do(nstest.Route("Key2")), codec.RespSuccess, "")
	})
	t.Run("a negative version is refused", func(t *testing.T) {
		r := nstest.Request(codec.ReqRegisterBroker, "brokerName", "minus", "brokerAddr", "m:1", "clusterName", "C", "brokerId", "0")
		r.Version = -1
		r.Body = []byte(`{"topicConfigTable":{"Minus1":{},"Minus2":{}}}`)
		wantCode(t, c.Do(r), codec.RespSystemError, "Failed to decode RegisterBrokerBody, codec: version is negative: -1")
	})
	t.Run("no body", func(t *testing.T) {
		wantCode(t, c.Do(nstest.Request(codec.ReqRegisterBroker, "brokerName", "bare", "brokerAddr", "b:1", "clusterName", "C", "brokerId", "0")), codec.RespSuccess, "")
		r := c.Do(nstest.Request(codec.ReqQueryDataVersion, "brokerName", "bare", "brokerAddr", "b:1", "clusterName", "C", "brokerId", "0"))
		if got := string(r.Body); got != `{"counter":0,"stateVersion":0,"timestamp":0}` || ext(r, "changed") != "true" {
			t.Errorf("data version is %s, changed %s", got, ext(r, "changed"))
		}
	})
	t.Run("a body without data version is another one each time", func(t *testing.T) {
		dated := nstest.Request(codec.ReqRegisterBroker, "brokerName", "undated", "brokerAddr", "u:1", "clusterName", "C", "brokerId", "0")
		dated.Body = []byte(`{"topicConfigSerializeWrapper":{"topicConfigTable":{"X":{"topicName":"X"},"Y":{"topicName":"Y"}}}}`)
		wantCode(t, c.Do(dated), codec.RespSuccess, "")
		query := nstest.Request(codec.ReqQueryDataVersion, "brokerName", "undated", "brokerAddr", "u:1", "clusterName", "C", "brokerId", "0")
		first := string(c.Do(query).Body)
		nstest.Eventually(t, "its data version has another timestamp", func() bool {
			c.Do(dated)
			return string(c.Do(query).Body) != first
		})
	})
}

func TestQueryDataVersion(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	c.Do(brokerA.Register())
	query := func(addr, body string) *codec.Command {
		r := nstest.Request(codec.ReqQueryDataVersion, "brokerName", "a", "brokerAddr", addr, "clusterName", "C", "brokerId", "0")
		r.Body = []byte(body)
		return c.Do(r)
	}
	const stored = `{"counter":1,"stateVersion":0,"timestamp":1700000000000}`
	cases := []struct{ name, addr, sent, changed, body string }{
		{"same", brokerA.Addr, stored, "false", stored},
		{"4.x form of the same", brokerA.Addr, `{"counter":1,"timestamp":1700000000000}`, "false", stored},
		{"counter differs", brokerA.Addr, `{"counter":2,"stateVersion":0,"timestamp":1700000000000}`, "true", stored},
		{"no body", brokerA.Addr, "", "true", stored},
		{"unknown broker", "nobody:1", stored, "true", ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			reply := query(tc.addr, tc.sent)
			wantCode(t, reply, codec.RespSuccess, "")
			if ext(reply, "changed") != tc.changed || string(reply.Body) != tc.body {
				t.Errorf("changed=%s body %s, want changed=%s body %s", ext(reply, "changed"), reply.Body, tc.changed, tc.body)
			}
		})
	}
	wantCode(t, c.Do(nstest.Request(codec.ReqQueryDataVersion)), codec.RespSystemError, "missing or malformed field clusterName")
}

func TestMemberGroup(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	c.Do(brokerA.Register())
	c.Do(slaveA.Register())
	cases := []struct {
		fields []string
		want   string
	}{
		{[]string{"clusterName", "WRONG", "brokerName", "a"}, `{"brokerMemberGroup":{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"a","cluster":"WRONG"}}`},
		{[]string{"clusterName", "C", "brokerName", "x"}, `{"brokerMemberGroup":{"brokerAddrs":{},"brokerName":"x","cluster":"C"}}`},
		{nil, `{"brokerMemberGroup":{"brokerAddrs":{}}}`},
	}
	for _, tc := range cases {
		reply := c.Do(nstest.Request(codec.ReqGetBrokerMemberGroup, tc.fields...))
		wantCode(t, reply, codec.RespSuccess, "not set any response code")
		if string(reply.Body) != tc.want {
			t.Errorf("members with %v: %s, want %s", tc.fields, reply.Body, tc.want)
		}
	}
}

func TestHeartbeat(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	wantCode(t, c.Do(nstest.Request(codec.ReqBrokerHeartbeat, "clusterName", "C", "brokerAddr", "nobody:1", "brokerName", "a")), codec.RespSuccess, "")
	wantCode(t, c.Do(nstest.Request(codec.ReqBrokerHeartbeat, "brokerAddr", "nobody:1")), codec.RespSystemError, "missing or malformed field clusterName")
	wantCode(t, c.Do(nstest.Request(codec.ReqBrokerHeartbeat, "clusterName", "C")), codec.RespSystemError, "missing or malformed field brokerAddr")
}

func TestRouteDialectAndZone(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		s := start(t, func(c *namesrv.Config) { c.RouteReadsOnLoop = onLoop })
		c := s.dial(t)
		b := brokerA
		b.Fields = []string{"__ZONE_NAME", "z/1"}
		c.Do(b.Register())
		ask := func(version int32, fields ...string) string {
			r := nstest.Request(codec.ReqGetRouteInfoByTopic, append([]string{"topic", "T"}, fields...)...)
			r.Version = version
			reply := c.Do(r)
			wantCode(t, reply, codec.RespSuccess, "")
			return string(reply.Body)
		}
		const rest = `,"brokerName":"a","cluster":"C","enableActingMaster":false,"zoneName":"%z"}],"filterServerTable":{},"queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}`
		legacy := `{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911"}` + strings.Replace(rest, "%z", "z/1", 1)
		strict := `{"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911"}` + strings.Replace(rest, "%z", `z\/1`, 1)
		const empty = `{"brokerDatas":[],"filterServerTable":{},"queueDatas":[]}`
		cases := []struct {
			name    string
			version int32
			fields  []string
			want    string
		}{
			{"4.9.3 and older", 400, nil, legacy},
			{"4.9.4 and newer", 401, nil, strict},
			{"old but asks for standard JSON", 317, []string{"acceptStandardJsonOnly", "TRUE"}, strict},
			{"own zone", 479, []string{"__ZONE_MODE", "true", "__ZONE_NAME", "Z/1"}, strict},
			{"own zone, old", 317, []string{"__ZONE_MODE", "true", "__ZONE_NAME", "Z/1"}, legacy},
			{"other zone", 479, []string{"__ZONE_MODE", "true", "__ZONE_NAME", "z2"}, empty},
			{"other zone, zone mode off", 479, []string{"__ZONE_MODE", "no", "__ZONE_NAME", "z2"}, strict},
			{"blank zone", 479, []string{"__ZONE_MODE", "true", "__ZONE_NAME", " \t\x1c\u3000"}, strict},
			{"no-break space is a zone", 479, []string{"__ZONE_MODE", "true", "__ZONE_NAME", "\u00a0"}, empty},
		}
		for _, tc := range cases {
			if got := ask(tc.version, tc.fields...); got != tc.want {
				t.Errorf("%s (routeReadsOnLoop=%v):\n got %s\nwant %s", tc.name, onLoop, got, tc.want)
			}
		}
		wantCode(t, c.Do(nstest.Request(codec.ReqGetRouteInfoByTopic)), codec.RespTopicNotExist,
			"No topic route info in name server for the topic: null\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.")
	}
}
