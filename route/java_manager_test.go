package route

import (
	"testing"

	"gonamesrv/codec"
)

// managerBroker is the broker of RouteInfoManagerTest: a slave without master,
// whose topics count all the same.
var managerBroker = javaBroker{
	RegistrationHeader: RegistrationHeader{
		Cluster: "default-cluster", BrokerName: "default-broker", BrokerAddr: "127.0.0.1:10911", BrokerID: 1234,
		HAServerAddr: "127.0.0.1:1001", HasZoneName: true, TimeoutMillis: DefaultHeartbeatTimeoutMillis,
	},
	version: codec.DataVersion{Timestamp: 100, Counter: 10},
}

const onManagerBroker = "default-broker 1234=127.0.0.1:10911 8/8/6"

// managerTable has that broker with two topics.
func managerTable(t *testing.T) *javaTable {
	j := newJavaTable(t)
	j.register(managerBroker, topicConfigs(8, "unit-test0", "unit-test1")...)
	return j
}

// flagged adds one topic for each combination of the unit flags, on one broker.
func (j *javaTable) flagged(brokerName string) {
	j.t.Helper()
	for flag, topic := range []string{"plain", "unit", "sub", "both"} {
		if !j.offer(topic, brokerName, 6, int32(flag)) {
			j.t.Fatalf("the topic %s is refused for %s", topic, brokerName)
		}
	}
}

// Given one broker, the cluster information is that broker and its cluster. (As
// for all lists here, the Java test asserts only that there is an answer.)
//
// Java: RouteInfoManagerTest#testGetAllClusterInfo
func TestT01_testGetAllClusterInfo(t *testing.T) {
	j := managerTable(t)
	j.wantBody("cluster info", j.View().ClusterInfo(), `{"brokerAddrTable":{"default-broker":{"brokerAddrs":{1234:"127.0.0.1:10911"},`+
		`"brokerName":"default-broker","cluster":"default-cluster","enableActingMaster":false,"zoneName":""}},`+
		`"clusterAddrTable":{"default-cluster":["default-broker"]}}`)
}

// The data version of one address is kept per cluster: the same address in a
// second cluster has its own, and takes only that with it when it leaves.
//
// Java: RouteInfoManagerTest#testQueryBrokerTopicConfig
func TestT02_testQueryBrokerTopicConfig(t *testing.T) {
	j := managerTable(t)
	second := managerBroker.in("default-cluster-1").named("default-broker-1")
	second.version = codec.DataVersion{Timestamp: 200, Counter: 20}
	wantVersion := func(when string, b javaBroker) {
		t.Helper()
		if live := j.liveInfo(b); live == nil || live.DataVersion != b.version {
			t.Errorf("%s: the live entry in %s is %+v, want the data version %+v", when, b.Cluster, live, b.version)
		}
	}
	wantVersion("one cluster", managerBroker)
	j.register(second, topicConfigs(8, "unit-test0", "unit-test1")...)
	wantVersion("two clusters", managerBroker)
	wantVersion("two clusters", second)
	j.unregister(second)
	wantVersion("one cluster again", managerBroker)
	if live := j.liveInfo(second); live != nil {
		t.Errorf("the live entry of the second cluster is still there: %+v", live)
	}
}

// Given one broker with two topics, both are listed.
//
// Java: RouteInfoManagerTest#testGetAllTopicList
func TestT03_testGetAllTopicList(t *testing.T) {
	j := managerTable(t)
	j.wantBody("the list", j.View().AllTopicList(), `{"topicList":["unit-test0","unit-test1"]}`)
}

// Given a registered broker, it may register again: it is told of no master, and
// everything is as before.
//
// Java: RouteInfoManagerTest#testRegisterBroker
func TestT04_testRegisterBroker(t *testing.T) {
	j := managerTable(t)
	if got := j.register(managerBroker, topicConfigs(8, "unit-test0", "unit-test1")...); got != (RegisterResult{}) {
		t.Errorf("the broker is told %+v", got)
	}
	j.wantRoute("registered again", onManagerBroker, "unit-test0", "unit-test1")
}

// permOf is a table with one topic of one broker, which has that permission.
func permOf(j *javaTable, b javaBroker, perm int32) {
	j.t.Helper()
	j.register(b)
	if !j.offer("unit-test", b.BrokerName, perm, 0) {
		j.t.Fatalf("the topic is refused for %s", b.BrokerName)
	}
}

// Given a writable topic of one broker, wiping touches one topic and leaves it
// readable.
//
// Java: RouteInfoManagerTest#testWipeWritePermOfBrokerByLock
func TestT05_testWipeWritePermOfBrokerByLock(t *testing.T) {
	j := newJavaTable(t)
	permOf(j, managerBroker.named("broker-a"), 6)
	if got := j.WipeWritePermOfBroker("broker-a"); got != 1 {
		t.Errorf("%d topics wiped, want 1", got)
	}
	j.wantRoute("wiped", "broker-a 1234=127.0.0.1:10911 8/8/4", "unit-test")
}

// A topic that nobody has registered has no route.
//
// Java: RouteInfoManagerTest#testPickupTopicRouteData
func TestT06_testPickupTopicRouteData(t *testing.T) {
	j := managerTable(t)
	j.wantRoute("never registered", "none", "unit_test", "")
	j.wantRoute("registered", onManagerBroker, "unit-test0")
}

// The system topics are the names of the cluster and of the broker.
//
// Java: RouteInfoManagerTest#testGetSystemTopicList
func TestT07_testGetSystemTopicList(t *testing.T) {
	j := managerTable(t)
	j.wantBody("the list", j.View().SystemTopicList(), `{"brokerAddr":"127.0.0.1:10911","topicList":["default-broker","default-cluster"]}`)
}

// The topics of the broker's cluster are its topics; an unknown cluster has none.
//
// Java: RouteInfoManagerTest#testGetTopicsByCluster
func TestT08_testGetTopicsByCluster(t *testing.T) {
	j := managerTable(t)
	j.wantBody("the list", j.View().TopicsByCluster("default-cluster"), `{"topicList":["unit-test0","unit-test1"]}`)
	j.wantBody("the list of an unknown cluster", j.View().TopicsByCluster("default-cluster-1"), `{"topicList":[]}`)
}

// Unit topics are those with the unit flag; the broker's own have none.
//
// Java: RouteInfoManagerTest#testGetUnitTopics
func TestT09_testGetUnitTopics(t *testing.T) {
	j := managerTable(t)
	j.wantBody("the list", j.View().TopicsByUnit(UnitTopics), `{"topicList":[]}`)
	j.flagged("default-broker")
	j.wantBody("the list", j.View().TopicsByUnit(UnitTopics), `{"topicList":["both","unit"]}`)
}

// Unit subscription topics are those with the unit subscription flag.
//
// Java: RouteInfoManagerTest#testGetHasUnitSubTopicList
func TestT10_testGetHasUnitSubTopicList(t *testing.T) {
	j := managerTable(t)
	j.wantBody("the list", j.View().TopicsByUnit(UnitSubTopics), `{"topicList":[]}`)
	j.flagged("default-broker")
	j.wantBody("the list", j.View().TopicsByUnit(UnitSubTopics), `{"topicList":["both","sub"]}`)
}

// The third list has those with the unit subscription flag and without the unit
// flag.
//
// Java: RouteInfoManagerTest#testGetHasUnitSubUnUnitTopicList
func TestT11_testGetHasUnitSubUnUnitTopicList(t *testing.T) {
	j := managerTable(t)
	j.wantBody("the list", j.View().TopicsByUnit(UnitSubTopicsNoUnits), `{"topicList":[]}`)
	j.flagged("default-broker")
	j.wantBody("the list", j.View().TopicsByUnit(UnitSubTopicsNoUnits), `{"topicList":["sub"]}`)
}

// Given a topic of one broker that can only be read, adding the write permission
// touches one topic and makes it writable.
//
// Java: RouteInfoManagerTest#testAddWritePermOfBrokerByLock
func TestT12_testAddWritePermOfBrokerByLock(t *testing.T) {
	j := newJavaTable(t)
	permOf(j, managerBroker.named("broker-a"), 4)
	if got := j.AddWritePermOfBroker("broker-a"); got != 1 {
		t.Errorf("%d topics made writable, want 1", got)
	}
	j.wantRoute("added", "broker-a 1234=127.0.0.1:10911 8/8/6", "unit-test")
}
