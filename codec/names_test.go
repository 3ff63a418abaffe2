package codec

import (
	"errors"
	"fmt"
	"testing"
)

// TestRequestCodes says each number and name once more: both are the protocol.
// Java: RequestCode.
func TestRequestCodes(t *testing.T) {
	for _, tt := range []struct {
		code   RequestCode
		number int32
		name   string
	}{
		{ReqPutKVConfig, 100, "PUT_KV_CONFIG"},
		{ReqGetKVConfig, 101, "GET_KV_CONFIG"},
		{ReqDeleteKVConfig, 102, "DELETE_KV_CONFIG"},
		{ReqRegisterBroker, 103, "REGISTER_BROKER"},
		{ReqUnregisterBroker, 104, "UNREGISTER_BROKER"},
		{ReqGetRouteInfoByTopic, 105, "GET_ROUTEINFO_BY_TOPIC"},
		{ReqGetBrokerClusterInfo, 106, "GET_BROKER_CLUSTER_INFO"},
		{ReqWipeWritePermOfBroker, 205, "WIPE_WRITE_PERM_OF_BROKER"},
		{ReqGetAllTopicListFromNameserver, 206, "GET_ALL_TOPIC_LIST_FROM_NAMESERVER"},
		{ReqDeleteTopicInNamesrv, 216, "DELETE_TOPIC_IN_NAMESRV"},
		{ReqRegisterTopicInNamesrv, 217, "REGISTER_TOPIC_IN_NAMESRV"},
		{ReqGetKVListByNamespace, 219, "GET_KVLIST_BY_NAMESPACE"},
		{ReqGetTopicsByCluster, 224, "GET_TOPICS_BY_CLUSTER"},
		{ReqGetSystemTopicListFromNS, 304, "GET_SYSTEM_TOPIC_LIST_FROM_NS"},
		{ReqGetUnitTopicList, 311, "GET_UNIT_TOPIC_LIST"},
		{ReqGetHasUnitSubTopicList, 312, "GET_HAS_UNIT_SUB_TOPIC_LIST"},
		{ReqGetHasUnitSubUnunitTopicList, 313, "GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST"},
		{ReqUpdateNamesrvConfig, 318, "UPDATE_NAMESRV_CONFIG"},
		{ReqGetNamesrvConfig, 319, "GET_NAMESRV_CONFIG"},
		{ReqQueryDataVersion, 322, "QUERY_DATA_VERSION"},
		{ReqAddWritePermOfBroker, 327, "ADD_WRITE_PERM_OF_BROKER"},
		{ReqGetBrokerMemberGroup, 901, "GET_BROKER_MEMBER_GROUP"},
		{ReqBrokerHeartbeat, 904, "BROKER_HEARTBEAT"},
		{ReqNotifyMinBrokerIDChange, 905, "NOTIFY_MIN_BROKER_ID_CHANGE"},
		{107, 107, "107"},
		{-1, -1, "-1"},
	} {
		if int32(tt.code) != tt.number || tt.code.String() != tt.name {
			t.Errorf("got %d %s, want %d %s", tt.code, tt.code, tt.number, tt.name)
		}
	}
}

// TestResponseCodes is TestRequestCodes for replies.
// Java: ResponseCode, RemotingSysResponseCode.
func TestResponseCodes(t *testing.T) {
	for _, tt := range []struct {
		code   ResponseCode
		number int32
		name   string
	}{
		{RespSuccess, 0, "SUCCESS"},
		{RespSystemError, 1, "SYSTEM_ERROR"},
		{RespSystemBusy, 2, "SYSTEM_BUSY"},
		{RespRequestCodeNotSupported, 3, "REQUEST_CODE_NOT_SUPPORTED"},
		{RespNoPermission, 16, "NO_PERMISSION"},
		{RespTopicNotExist, 17, "TOPIC_NOT_EXIST"},
		{RespQueryNotFound, 22, "QUERY_NOT_FOUND"},
		{RespGoAway, 1500, "GO_AWAY"},
		{18, 18, "18"},
		{-3, -3, "-3"},
	} {
		if int32(tt.code) != tt.number || tt.code.String() != tt.name {
			t.Errorf("got %d %s, want %d %s", tt.code, tt.code, tt.number, tt.name)
		}
	}
}

// TestLanguages reads each language as a name, as the ordinal of a JSON header
// and as the byte of a binary one. Java: LanguageCode.
func TestLanguages(t *testing.T) {
	names := []string{
		"JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST", "NODE_JS",
	}
	for i, name := range names {
		want := LanguageCode(i)
		if want.String() != name {
			t.Errorf("language %d is %s, want %s", i, want, name)
		}
		binary := binaryHeader(0, "", 0)
		binary[2] = byte(i)
		for _, frame := range [][]byte{
			frameOf(SerializeJSON, fmt.Appendf(nil, `{"language":%q}`, name), nil),
			frameOf(SerializeJSON, fmt.Appendf(nil, `{"language":'%s'}`, name), nil),
			frameOf(SerializeJSON, fmt.Appendf(nil, `{"language":%d}`, i), nil),
			frameOf(SerializeJSON, fmt.Appendf(nil, `{"language":"%d"}`, i), nil),
			frameOf(SerializeRocketMQ, binary, nil),
		} {
			var c Command
			if err := c.Decode(frame); err != nil || c.Language != want {
				t.Errorf("%q: got %s, %v; want %s", frame, c.Language, err, want)
			}
		}
	}
	// Java: LanguageCode#valueOf answers null for a byte that it does not know.
	for _, b := range []byte{14, 15, 127, 128, 255} {
		if got := languageByByte(b); got != LanguageUnknown {
			t.Errorf("byte %d: got %s, want none", b, got)
		}
	}
	for _, name := range []string{"", "JAV", "JAVAA", "java", "Go", "NODE", "NODEJS", " GO"} {
		if got := languageByName([]byte(name)); got != LanguageUnknown {
			t.Errorf("%q: got %s, want none", name, got)
		}
	}
}

// TestVersions says the ordinals once more that decide how bytes are read.
// Java: MQVersion.Version.
func TestVersions(t *testing.T) {
	for _, tt := range []struct {
		name      string
		got, want int
	}{
		{"V3_0_11", V3_0_11, 37},
		{"V4_9_4", V4_9_4, 401},
		{"V5_0_0", V5_0_0, 413},
		{"V5_3_1", V5_3_1, 475},
		{"HIGHER_VERSION", HigherVersion, 612},
		{"ours", Version, 479},
	} {
		if tt.got != tt.want {
			t.Errorf("%s is %d, want %d", tt.name, tt.got, tt.want)
		}
	}
}

// TestFlags: each of the two bits has a meaning of its own, all others none.
// Java: RemotingCommand#isResponseType, #isOnewayRPC.
func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		flag             Flag
		response, oneway bool
	}{
		{0, false, false},
		{1, true, false},
		{2, false, true},
		{3, true, true},
		{4, false, false},
		{-1, true, true},
		{^Flag(3), false, false},
	} {
		if tt.flag.IsResponse() != tt.response || tt.flag.IsOneway() != tt.oneway {
			t.Errorf("flag %d: response %t, oneway %t; want %t, %t",
				tt.flag, tt.flag.IsResponse(), tt.flag.IsOneway(), tt.response, tt.oneway)
		}
	}
}

// TestSerializeTypeNames: a number nobody knows is shown as what it is.
func TestSerializeTypeNames(t *testing.T) {
	for st, want := range map[SerializeType]string{
		SerializeJSON:     "JSON",
		SerializeRocketMQ: "ROCKETMQ",
		2:                 "SerializeType(2)",
		255:               "SerializeType(255)",
	} {
		if st.String() != want {
			t.Errorf("got %s, want %s", st, want)
		}
	}
	_, err := ParseSerializeType("json\n")
	if want := `codec: unknown serialize type: "json\n"`; !errors.Is(err, ErrSerializeType) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
