package codec

import (
	"bytes"
	"errors"
	"testing"
)

// The example frames: requests and replies as Java and its clients write them.
// testdata/frames holds each as a hex dump.
var exampleFrames = []string{
	"heartbeat_oneway_request", "notify_min_broker_id_request",
	"query_data_version_binary_request", "query_data_version_reply",
	"register_slave_request", "register_slave_reply", "register_slave_binary_reply",
	"route_request", "route_reply", "route_legacy_request", "route_legacy_reply",
	"route_miss_binary_request", "route_miss_reply", "route_miss_binary_reply",
	"unknown_code_request", "unknown_code_reply",
}

func TestDecodeExampleRequests(t *testing.T) {
	registerExt := extFields("bodyCrc32", "385843084", "brokerAddr", "10.0.0.2:10911", "brokerId", "1", "brokerName", "a",
		"clusterName", "C", "compressed", "false", "enableActingMaster", "false", "haServerAddr", "10.0.0.2:10912")
	for _, tt := range []struct {
		frame string
		want  Command
		body  string
		exact bool // AppendRequest writes the same bytes
	}{
		{"route_request", Command{Code: ReqGetRouteInfoByTopic, Version: 479, Opaque: 1, Ext: extFields("topic", "T")}, "", true},
		{"route_legacy_request", Command{Code: ReqGetRouteInfoByTopic, Language: LanguageGo, Version: 317, Opaque: 2, Ext: extFields("topic", "T")}, "", false},
		{"route_miss_binary_request", Command{Code: ReqGetRouteInfoByTopic, Version: 479, Opaque: 3, Ext: extFields("topic", "X"), SerializeType: SerializeRocketMQ}, "", true},
		{
			"register_slave_request",
			Command{Code: ReqRegisterBroker, Version: 479, Opaque: 4, Ext: registerExt},
			`{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1700000000000},"topicConfigTable":{}}}`, true,
		},
		{
			"query_data_version_binary_request",
			Command{
				Code: ReqQueryDataVersion, Version: 479, Opaque: 5, SerializeType: SerializeRocketMQ,
				Ext: extFields("clusterName", "C", "brokerName", "a", "brokerAddr", "10.0.0.1:10911", "brokerId", "0"),
			},
			`{"counter":1,"stateVersion":0,"timestamp":1700000000000}`, true,
		},
		{"unknown_code_request", Command{Code: 999, Opaque: 4}, "", false},
		{"heartbeat_oneway_request", Command{
			Code: ReqBrokerHeartbeat, Version: 479, Opaque: 6, Flag: FlagOneway,
			Ext: extFields("brokerAddr", "10.0.0.1:10911", "brokerName", "a", "clusterName", "C"),
		}, "", true},
		{"notify_min_broker_id_request", Command{
			Code: ReqNotifyMinBrokerIDChange, Version: 479, Opaque: 11, Flag: FlagOneway,
			Ext: extFields("offlineBrokerAddr", "127.0.0.1:19998", "minBrokerAddr", "127.0.0.1:19999", "minBrokerId", "2"),
		}, "", true},
	} {
		t.Run(tt.frame, func(t *testing.T) {
			frame := loadFrame(t, tt.frame)
			if n, err := SplitFrame(frame); n != len(frame) || err != nil {
				t.Fatalf("SplitFrame = %d, %v; want %d", n, err, len(frame))
			}
			var c Command
			if err := c.Decode(frame); err != nil {
				t.Fatal(err)
			}
			if got, want := showCommand(&c), showCommand(&tt.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if string(c.Body) != tt.body || (c.Body == nil) != (tt.body == "") {
				t.Errorf("body %q (nil: %t); want %q", c.Body, c.Body == nil, tt.body)
			}
			if c.SerializeType != tt.want.SerializeType {
				t.Errorf("serialize type %s; want %s", c.SerializeType, tt.want.SerializeType)
			}
			if again := AppendRequest(nil, c.SerializeType, &c); tt.exact && !bytes.Equal(again, frame) {
				t.Errorf("written again:\n%q\nwant\n%q", again, frame)
			}
		})
	}
}

func TestReplyExamples(t *testing.T) {
	route := TopicRouteData{
		BrokerDatas: []BrokerData{{Cluster: "C", BrokerName: "a", BrokerAddrs: []BrokerAddr{{0, "10.0.0.1:10911"}}}},
		QueueDatas:  []QueueData{{BrokerName: "a", ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6}},
	}
	miss := Reply{Code: RespTopicNotExist, Opaque: 3, Remark: "No topic route info in name server for the topic: X\n" +
		"See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."}
	slave := Reply{Opaque: 4, Ext: []Field{{"haServerAddr", "10.0.0.1:10912"}, {"masterAddr", "10.0.0.1:10911"}}}
	for _, tt := range []struct {
		frame string
		st    SerializeType
		reply Reply
	}{
		{"route_reply", SerializeJSON, Reply{Opaque: 1, Body: route.AppendJSON(nil, DialectStrict)}},
		{"route_legacy_reply", SerializeJSON, Reply{Opaque: 2, Body: route.AppendJSON(nil, DialectLegacy)}},
		{"route_miss_reply", SerializeJSON, miss},
		{"route_miss_binary_reply", SerializeRocketMQ, miss},
		{"register_slave_reply", SerializeJSON, slave},
		{"register_slave_binary_reply", SerializeRocketMQ, slave},
		{"query_data_version_reply", SerializeJSON, Reply{
			Opaque: 5, Ext: []Field{{"changed", "false"}},
			Body: DataVersion{Counter: 1, Timestamp: 1700000000000}.AppendJSON(nil),
		}},
		{"unknown_code_reply", SerializeJSON, Reply{Code: RespRequestCodeNotSupported, Opaque: 4, Remark: " request type 999 not supported"}},
	} {
		t.Run(tt.frame, func(t *testing.T) {
			want := loadFrame(t, tt.frame)
			if got := AppendReply(nil, tt.st, &tt.reply); !bytes.Equal(got, want) {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
			if got := AppendReply([]byte("before"), tt.st, &tt.reply); !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Errorf("appended to something: got\n%q", got)
			}
			var c Command
			if err := c.Decode(want); err != nil || !c.Flag.IsResponse() || ResponseCode(c.Code) != tt.reply.Code || c.Opaque != tt.reply.Opaque {
				t.Errorf("read back: %v, %s", err, showCommand(&c))
			}
		})
	}
}

func TestReplyEmptyExtFields(t *testing.T) {
	got := string(AppendReply(nil, SerializeJSON, &Reply{Code: RespQueryNotFound, Opaque: -7, Ext: []Field{}})[8:])
	if want := `{"code":22,"extFields":{},"flag":1,"language":"JAVA","opaque":-7,"serializeTypeCurrentRPC":"JSON","version":479}`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestReplyHeaderTooLong(t *testing.T) {
	value := string(bytes.Repeat([]byte{1}, 3<<20)) // six bytes each as an escape
	frame := AppendReply([]byte("x"), SerializeJSON, &Reply{Opaque: 9, Ext: []Field{{"value", value}}, Body: []byte("b")})[1:]
	var c Command
	if err := c.Decode(frame); err != nil {
		t.Fatal(err)
	}
	if want := "reply header of 18874488 bytes does not fit a frame"; ResponseCode(c.Code) != RespSystemError || c.Opaque != 9 || string(c.Remark) != want || c.Body != nil {
		t.Errorf("got %s; want SYSTEM_ERROR, opaque 9, remark %q", showCommand(&c), want)
	}
}

// TestTruncatedFrames cuts every example at every byte.
func TestTruncatedFrames(t *testing.T) {
	for _, name := range exampleFrames {
		frame := loadFrame(t, name)
		var c Command
		for n := range frame {
			if err := c.Decode(frame[:n]); !errors.Is(err, ErrTruncated) {
				t.Errorf("%s cut at %d: %v; want %v", name, n, err, ErrTruncated)
			}
		}
		// The same with a length field that fits: the header itself is cut.
		headerLen := int(frame[5])<<16 | int(frame[6])<<8 | int(frame[7])
		for n := range headerLen {
			var headerErr *HeaderError
			if err := c.Decode(frameOf(SerializeType(frame[4]), frame[8:8+n], nil)); !errors.As(err, &headerErr) {
				t.Errorf("%s, header cut at %d: %v; want a HeaderError", name, n, err)
			}
		}
	}
}

func TestDecodeReplacesEverything(t *testing.T) {
	var c Command
	for _, name := range []string{"register_slave_request", "route_miss_binary_reply", "unknown_code_request"} {
		if err := c.Decode(loadFrame(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	if want := (&Command{Code: 999, Opaque: 4}); showCommand(&c) != showCommand(want) || c.Body != nil || c.SerializeType != SerializeJSON {
		t.Errorf("got %s, body %q; want %s", showCommand(&c), c.Body, showCommand(want))
	}
}

func TestDecodeIgnoresBytesAfterTheFrame(t *testing.T) {
	frame := loadFrame(t, "query_data_version_binary_request")
	var c Command
	if err := c.Decode(append(frame, "next"...)); err != nil {
		t.Fatal(err)
	}
	if want := `{"counter":1,"stateVersion":0,"timestamp":1700000000000}`; string(c.Body) != want {
		t.Errorf("body %q; want %q", c.Body, want)
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{ReqGetRouteInfoByTopic.String(), "GET_ROUTEINFO_BY_TOPIC"},
		{ReqGetHasUnitSubUnunitTopicList.String(), "GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST"},
		{RequestCode(-5).String(), "-5"},
		{RespTopicNotExist.String(), "TOPIC_NOT_EXIST"},
		{ResponseCode(4).String(), "4"},
		{LanguageNodeJS.String(), "NODE_JS"},
		{LanguageUnknown.String(), "LanguageCode(-1)"},
		{SerializeRocketMQ.String(), "ROCKETMQ"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	for name, want := range map[string]SerializeType{"JSON": SerializeJSON, "ROCKETMQ": SerializeRocketMQ} {
		if st, err := ParseSerializeType(name); st != want || err != nil {
			t.Errorf("ParseSerializeType(%s) = %s, %v", name, st, err)
		}
	}
	for _, name := range []string{"", "json", "JSON ", "foo"} {
		if _, err := ParseSerializeType(name); !errors.Is(err, ErrSerializeType) {
			t.Errorf("ParseSerializeType(%q) = %v; want %v", name, err, ErrSerializeType)
		}
	}
}
