package namesrv_test

import (
	"fmt"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// The files java_*_test.go hold the tests of the Java name server, one for
// one: the number in front is that of the table in docs/COMPAT.md. A test
// asserts what the Java test meant, also where the Java test asserts nothing.

// requestBroker is the broker that RequestProcessorTest finds registered.
var requestBroker = nstest.Broker{
	Cluster: "default-cluster", Name: "default-broker", Addr: "127.0.0.1:10911", ID: 1234, Counter: 1,
	Topics: []string{"unit-test0", "unit-test1"},
}

const requestBrokerInfo = `"default-broker":{"brokerAddrs":{1234:"127.0.0.1:10911"},"brokerName":"default-broker","cluster":"default-cluster","enableActingMaster":false}`

// startRequests runs a server that knows that broker, and connects to it.
func startRequests(t *testing.T, change func(*namesrv.Config)) (*testServer, *nstest.Client) {
	s := start(t, change)
	c := s.dial(t)
	wantCode(t, c.Do(requestBroker.Register()), codec.RespSuccess, "")
	return s, c
}

// common is a request with the fields that RequestProcessorTest sends with each,
// and others. Like every request of that test it has no version.
func common(code codec.RequestCode, fields ...string) *codec.Command {
	r := nstest.Request(code, append([]string{
		"brokerName", "broker", "brokerAddr", "10.10.1.1", "clusterName", "cluster", "haServerAddr", "10.10.2.1",
		"brokerId", "2333", "topic", "unit-test0",
	}, fields...)...)
	r.Version = 0
	return r
}

// sampleRegistration is a registration with two topics that do not say their
// names.
func sampleRegistration(version int32) *codec.Command {
	r := common(codec.ReqRegisterBroker)
	r.Version = version
	r.Body = []byte(`{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1700000000000},` +
		`"topicConfigTable":{"unit-test1":{"perm":6,"readQueueNums":16,"writeQueueNums":16},"unit-test2":{"perm":6,"readQueueNums":16,"writeQueueNums":16}}}}`)
	r.Ext = append(r.Ext, codec.ExtField{Name: []byte("bodyCrc32"), Value: fmt.Append(nil, codec.BodyCRC32(r.Body))})
	return r
}

// wantBody sends a request and compares its successful answer.
func wantBody(t *testing.T, c *nstest.Client, r *codec.Command, want string) {
	t.Helper()
	reply := c.Do(r)
	wantCode(t, reply, codec.RespSuccess, "")
	if got := string(reply.Body); got != want {
		t.Errorf("the body is\n\t%s, want\n\t%s", got, want)
	}
}

// wantExt sends a request and compares one field of its successful answer.
func wantExt(t *testing.T, c *nstest.Client, r *codec.Command, name, want string) {
	t.Helper()
	reply := c.Do(r)
	wantCode(t, reply, codec.RespSuccess, "")
	if got := ext(reply, name); got != want {
		t.Errorf("%s is %s, want %s", name, got, want)
	}
}

// clusterInfo is the answer of a server that knows these brokers.
func clusterInfo(brokers, clusters string) string {
	return `{"brokerAddrTable":{` + brokers + `},"clusterAddrTable":{` + clusters + `}}`
}

const (
	withBroker = `"broker":{"brokerAddrs":{2333:"10.10.1.1"},"brokerName":"broker","cluster":"cluster","enableActingMaster":false},` + requestBrokerInfo
	inCluster  = `"cluster":["broker"],"default-cluster":["default-broker"]`
	inDefault  = `"default-cluster":["default-broker"]`
)

// versionOf asks whether the data version of the sample has changed.
func versionOf(sample *codec.Command) *codec.Command {
	_, version, _ := strings.Cut(string(sample.Body), `"dataVersion":`)
	version, _, _ = strings.Cut(version, "}")
	r := common(codec.ReqQueryDataVersion)
	r.Body = []byte(version + "}")
	return r
}

// A broker without version registers, with the checksum of its body: it is in
// the table with its ID and address. Its body is taken for that of an old broker,
// which has its data version in another place.
//
// Java: RequestProcessorTest#testProcessRequest_RegisterBroker
func TestQ07_testProcessRequest_RegisterBroker(t *testing.T) {
	_, c := startRequests(t, nil)
	sample := sampleRegistration(0)
	wantCode(t, c.Do(sample), codec.RespSuccess, "")
	wantBody(t, c, common(codec.ReqGetBrokerClusterInfo), clusterInfo(withBroker, inCluster))
	wantExt(t, c, versionOf(sample), "changed", "true")
}

// The same with a version from which on the body lists filter servers too. Its
// data version is understood.
//
// Java: RequestProcessorTest#testProcessRequest_RegisterBrokerWithFilterServer
func TestQ08_testProcessRequest_RegisterBrokerWithFilterServer(t *testing.T) {
	_, c := startRequests(t, nil)
	sample := sampleRegistration(100)
	wantCode(t, c.Do(sample), codec.RespSuccess, "")
	wantBody(t, c, common(codec.ReqGetBrokerClusterInfo), clusterInfo(withBroker, inCluster))
	wantExt(t, c, versionOf(sample), "changed", "false")
}

// A broker that unregisters is told that it is done. Ours has done it then; in
// the Java test the broker is still there, because only a queue has been told.
//
// Java: RequestProcessorTest#testProcessRequest_UnregisterBroker
func TestQ09_testProcessRequest_UnregisterBroker(t *testing.T) {
	_, c := startRequests(t, nil)
	wantCode(t, c.Do(sampleRegistration(0)), codec.RespSuccess, "")
	wantBody(t, c, common(codec.ReqGetBrokerClusterInfo), clusterInfo(withBroker, inCluster))
	wantCode(t, c.Do(common(codec.ReqUnregisterBroker)), codec.RespSuccess, "")
	wantBody(t, c, common(codec.ReqGetBrokerClusterInfo), clusterInfo(requestBrokerInfo, inDefault))
}

// The list of all topics is given out, and refused when enableAllTopicList is
// off.
//
// Java: RequestProcessorTest#testGetAllTopicList
func TestQ10_testGetAllTopicList(t *testing.T) {
	_, c := startRequests(t, nil)
	wantBody(t, c, nstest.Request(codec.ReqGetAllTopicListFromNameserver), `{"topicList":["unit-test0","unit-test1"]}`)
	_, c = startRequests(t, func(c *namesrv.Config) { c.EnableAllTopicList = false })
	wantCode(t, c.Do(nstest.Request(codec.ReqGetAllTopicListFromNameserver)), codec.RespSystemError, "disable")
}

// A topic that a broker has registered has a route, another has none.
//
// Java: RequestProcessorTest#testGetRouteInfoByTopic
func TestQ11_testGetRouteInfoByTopic(t *testing.T) {
	_, c := startRequests(t, nil)
	wantBody(t, c, common(codec.ReqGetRouteInfoByTopic), `{"brokerDatas":[{"brokerAddrs":{1234:"127.0.0.1:10911"},"brokerName":"default-broker",`+
		`"cluster":"default-cluster","enableActingMaster":false}],"filterServerTable":{},`+
		`"queueDatas":[{"brokerName":"default-broker","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}`)
	wantCode(t, c.Do(nstest.Route("test")), codec.RespTopicNotExist,
		"No topic route info in name server for the topic: test\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.")
}

// The cluster information has the one broker and its cluster.
//
// Java: RequestProcessorTest#testGetBrokerClusterInfo
func TestQ12_testGetBrokerClusterInfo(t *testing.T) {
	_, c := startRequests(t, nil)
	wantBody(t, c, common(codec.ReqGetBrokerClusterInfo), clusterInfo(requestBrokerInfo, inDefault))
}

// A data version query without body is answered that it has changed. The broker
// that is not known is given nothing more, the one that is known its version, even
// if that is made of zeroes.
//
// Java: RequestProcessorTest#testQueryDataVersion
func TestQ13_testQueryDataVersion(t *testing.T) {
	_, c := startRequests(t, nil)
	known := nstest.Request(codec.ReqQueryDataVersion, "brokerName", "default-broker", "brokerAddr", "127.0.0.1:10911",
		"clusterName", "default-cluster", "brokerId", "1234")
	wantExt(t, c, common(codec.ReqQueryDataVersion), "changed", "true")
	wantBody(t, c, common(codec.ReqQueryDataVersion), "")
	wantExt(t, c, known, "changed", "true")
	wantBody(t, c, known, `{"counter":1,"stateVersion":0,"timestamp":1700000000000}`)
	wantCode(t, c.Do(common(codec.ReqRegisterBroker)), codec.RespSuccess, "")
	wantExt(t, c, common(codec.ReqQueryDataVersion), "changed", "true")
	wantBody(t, c, common(codec.ReqQueryDataVersion), `{"counter":0,"stateVersion":0,"timestamp":0}`)
}

// The members of a broker name are given out; a name that is not known has none.
// The remark of this successful answer is Java's.
//
// Java: RequestProcessorTest#testGetBrokerMemberBroker
func TestQ14_testGetBrokerMemberBroker(t *testing.T) {
	_, c := startRequests(t, nil)
	for _, tc := range []struct{ brokerName, want string }{
		{"broker", `{"brokerMemberGroup":{"brokerAddrs":{},"brokerName":"broker","cluster":"cluster"}}`},
		{"default-broker", `{"brokerMemberGroup":{"brokerAddrs":{1234:"127.0.0.1:10911"},"brokerName":"default-broker","cluster":"cluster"}}`},
	} {
		reply := c.Do(nstest.Request(codec.ReqGetBrokerMemberGroup, "clusterName", "cluster", "brokerName", tc.brokerName))
		wantCode(t, reply, codec.RespSuccess, "not set any response code")
		if got := string(reply.Body); got != tc.want {
			t.Errorf("the members of %s are %s, want %s", tc.brokerName, got, tc.want)
		}
	}
}

// The heartbeat of a broker that is not known succeeds, and makes nobody known.
//
// Java: RequestProcessorTest#testBrokerHeartBeat
func TestQ15_testBrokerHeartBeat(t *testing.T) {
	s, c := startRequests(t, nil)
	wantCode(t, c.Do(common(codec.ReqBrokerHeartbeat)), codec.RespSuccess, "")
	if got := s.Table().View().LiveCount(); got != 1 {
		t.Errorf("%d live brokers, want 1", got)
	}
	wantBody(t, c, common(codec.ReqGetBrokerClusterInfo), clusterInfo(requestBrokerInfo, inDefault))
}

// The write permission is added to all topics of a broker, and their number told:
// 0 for one that is not known.
//
// Java: RequestProcessorTest#testAddWritePermOfBroker
func TestQ16_testAddWritePermOfBroker(t *testing.T) {
	s, c := startRequests(t, nil)
	s.Table().WipeWritePermOfBroker("default-broker")
	wantExt(t, c, common(codec.ReqAddWritePermOfBroker), "addTopicCount", "0")
	if got := perms(t, c, "unit-test0"); got != "default-broker:4" {
		t.Errorf("permissions are %s", got)
	}
	wantExt(t, c, nstest.Request(codec.ReqAddWritePermOfBroker, "brokerName", "default-broker"), "addTopicCount", "2")
	if got := perms(t, c, "unit-test0"); got != "default-broker:6" {
		t.Errorf("permissions are %s", got)
	}
}

// The write permission is taken from all topics of a broker, and their number
// told: 0 for one that is not known.
//
// Java: RequestProcessorTest#testWipeWritePermOfBroker
func TestQ17_testWipeWritePermOfBroker(t *testing.T) {
	_, c := startRequests(t, nil)
	wantExt(t, c, common(codec.ReqWipeWritePermOfBroker), "wipeTopicCount", "0")
	if got := perms(t, c, "unit-test0"); got != "default-broker:6" {
		t.Errorf("permissions are %s", got)
	}
	wantExt(t, c, nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "default-broker"), "wipeTopicCount", "2")
	if got := perms(t, c, "unit-test0"); got != "default-broker:4" {
		t.Errorf("permissions are %s", got)
	}
}

// The list of all topics does not mind fields that it does not need.
//
// Java: RequestProcessorTest#testGetAllTopicListFromNameserver
func TestQ18_testGetAllTopicListFromNameserver(t *testing.T) {
	_, c := startRequests(t, nil)
	wantBody(t, c, common(codec.ReqGetAllTopicListFromNameserver), `{"topicList":["unit-test0","unit-test1"]}`)
}

// Deleting a topic in a cluster that is not known succeeds and deletes nothing;
// without a cluster the topic is gone.
//
// Java: RequestProcessorTest#testDeleteTopicInNamesrv
func TestQ19_testDeleteTopicInNamesrv(t *testing.T) {
	_, c := startRequests(t, nil)
	wantCode(t, c.Do(common(codec.ReqDeleteTopicInNamesrv)), codec.RespSuccess, "")
	wantBody(t, c, common(codec.ReqGetAllTopicListFromNameserver), `{"topicList":["unit-test0","unit-test1"]}`)
	wantCode(t, c.Do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "unit-test0")), codec.RespSuccess, "")
	wantBody(t, c, common(codec.ReqGetAllTopicListFromNameserver), `{"topicList":["unit-test1"]}`)
}

// The topics of the broker's cluster are its two.
//
// Java: RequestProcessorTest#testGetTopicsByCluster
func TestQ21_testGetTopicsByCluster(t *testing.T) {
	_, c := startRequests(t, nil)
	wantBody(t, c, common(codec.ReqGetTopicsByCluster, "cluster", "default-cluster"), `{"topicList":["unit-test0","unit-test1"]}`)
}

// The system topics are the names of the cluster and of the broker.
//
// Java: RequestProcessorTest#testGetSystemTopicListFromNs
func TestQ22_testGetSystemTopicListFromNs(t *testing.T) {
	_, c := startRequests(t, nil)
	wantBody(t, c, common(codec.ReqGetSystemTopicListFromNS, "cluster", "default-cluster"),
		`{"brokerAddr":"127.0.0.1:10911","topicList":["default-broker","default-cluster"]}`)
}

// wantUnits asks for a unit list: none of the broker's topics is in it, and then
// those of four more that have the flags for it.
func wantUnits(t *testing.T, code codec.RequestCode, want string) {
	t.Helper()
	s, c := startRequests(t, nil)
	wantBody(t, c, common(code, "cluster", "default-cluster"), `{"topicList":[]}`)
	for flag, topic := range []string{"plain", "unit", "sub", "both"} {
		s.Table().RegisterTopic(topic, []codec.QueueData{{BrokerName: "default-broker", Perm: 6, TopicSysFlag: int32(flag)}})
	}
	wantBody(t, c, common(code, "cluster", "default-cluster"), want)
}

// The unit topics.
//
// Java: RequestProcessorTest#testGetUnitTopicList
func TestQ23_testGetUnitTopicList(t *testing.T) {
	wantUnits(t, codec.ReqGetUnitTopicList, `{"topicList":["both","unit"]}`)
}

// The unit subscription topics.
//
// Java: RequestProcessorTest#testGetHasUnitSubTopicList
func TestQ24_testGetHasUnitSubTopicList(t *testing.T) {
	wantUnits(t, codec.ReqGetHasUnitSubTopicList, `{"topicList":["both","sub"]}`)
}

// The unit subscription topics that are not unit topics.
//
// Java: RequestProcessorTest#testGetHasUnitSubUnUnitTopicList
func TestQ25_testGetHasUnitSubUnUnitTopicList(t *testing.T) {
	wantUnits(t, codec.ReqGetHasUnitSubUnunitTopicList, `{"topicList":["sub"]}`)
}
