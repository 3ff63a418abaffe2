package route

import (
	"testing"

	"gonamesrv/codec"
)

// The brokers of RouteInfoManagerNewTest, and how routes to them read.
var (
	newMaster = javaBroker{
		RegistrationHeader: RegistrationHeader{
			Cluster: "Default_Cluster", BrokerName: "Default_Broker", BrokerAddr: "127.0.0.1:10911", HAServerAddr: "127.0.0.1:20911",
			HasZoneName: true, TimeoutMillis: DefaultHeartbeatTimeoutMillis, EnableActingMaster: true,
		},
		version: codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: 1},
	}
	newSlave = func() javaBroker {
		b := newMaster.at("127.0.0.1:30911", 1)
		b.HAServerAddr = "127.0.0.1:40911"
		return b
	}()
)

const (
	onNewMaster  = "Default_Broker 0=127.0.0.1:10911 8/8/6"
	onNewBoth    = "Default_Broker 0=127.0.0.1:10911 1=127.0.0.1:30911 8/8/6"
	onNewSlave   = "Default_Broker 1=127.0.0.1:30911 8/8/6"
	onActing     = "Default_Broker 0=127.0.0.1:30911 8/8/4"
	onNewSwapped = "Default_Broker 0=127.0.0.1:30911 1=127.0.0.1:10911 8/8/6"
)

// newTable is a table with acting masters, as in RouteInfoManagerNewTest.
func newTable(t *testing.T) *javaTable {
	j := newJavaTable(t)
	j.acting = true
	return j
}

// bring registers a broker with a topic that all brokers have, and others.
func (j *javaTable) bring(b javaBroker, topics ...string) RegisterResult {
	j.t.Helper()
	return j.register(b, append(topicConfigs(16, "baseTopic"), topicConfigs(8, topics...)...)...)
}

// Given two brokers in two clusters, the cluster information that a reader
// decodes has both clusters, both names and both addresses, and nothing else.
//
// Java: RouteInfoManagerNewTest#getAllClusterInfo
func TestN01_getAllClusterInfo(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	j.bring(newMaster.in("AnotherCluster").named("AnotherBroker").at("127.0.0.1:30911", 0), "TestTopic1")
	j.wantBody("cluster info", j.View().ClusterInfo(), `{"brokerAddrTable":{`+
		`"AnotherBroker":{"brokerAddrs":{0:"127.0.0.1:30911"},"brokerName":"AnotherBroker","cluster":"AnotherCluster","enableActingMaster":true,"zoneName":""},`+
		`"Default_Broker":{"brokerAddrs":{0:"127.0.0.1:10911"},"brokerName":"Default_Broker","cluster":"Default_Cluster","enableActingMaster":true,"zoneName":""}},`+
		`"clusterAddrTable":{"AnotherCluster":["AnotherBroker"],"Default_Cluster":["Default_Broker"]}}`)
}

// Given a topic on one broker, deleting it takes its route. Given it on brokers
// of two clusters, deleting it for one leaves the other's broker.
//
// Java: RouteInfoManagerNewTest#deleteTopic
func TestN02_deleteTopic(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	j.DeleteTopic("TestTopic")
	j.wantRoute("deleted", "none", "TestTopic")

	j.bring(newMaster, "TestTopic")
	j.bring(newMaster.in("AnotherCluster").named("AnotherBroker"), "TestTopic")
	j.wantRoute("on both", "AnotherBroker 0=127.0.0.1:10911 8/8/6; "+onNewMaster, "TestTopic")
	j.DeleteTopicInCluster("TestTopic", "Default_Cluster")
	j.wantRoute("deleted in one cluster", "AnotherBroker 0=127.0.0.1:10911 8/8/6", "TestTopic")
}

// Given no broker, no topic is listed; given one with three topics, all of them.
//
// Java: RouteInfoManagerNewTest#getAllTopicList
func TestN03_getAllTopicList(t *testing.T) {
	j := newTable(t)
	j.wantBody("the list of an empty table", j.View().AllTopicList(), `{"topicList":[]}`)
	j.bring(newMaster, "TestTopic", "TestTopic1", "TestTopic2")
	j.wantBody("the list", j.View().AllTopicList(), `{"topicList":["TestTopic","TestTopic1","TestTopic2","baseTopic"]}`)
}

// A master that registers is told of no master; its slave is told the master's
// address and that for its replication.
//
// Java: RouteInfoManagerNewTest#registerBroker
func TestN04_registerBroker(t *testing.T) {
	j := newTable(t)
	if got, want := j.bring(newMaster, "TestTopic"), (RegisterResult{}); got != want {
		t.Errorf("the master is told %+v, want %+v", got, want)
	}
	if got, want := j.bring(newSlave, "TestTopic"), (RegisterResult{HAServerAddr: "127.0.0.1:20911", MasterAddr: "127.0.0.1:10911"}); got != want {
		t.Errorf("the slave is told %+v, want %+v", got, want)
	}
}

// Given a master with three topics, it takes their routes with it when it
// unregisters; alone, and again together with a broker that is not known (the
// Java test uses its queue, which we do not have: the change is done at once).
//
// Java: RouteInfoManagerNewTest#unregisterBroker
func TestN05_unregisterBroker(t *testing.T) {
	j := newTable(t)
	for _, leave := range [][]javaBroker{{newMaster}, {newMaster.named("unknown"), newMaster}} {
		j.bring(newMaster, "TestTopic", "TestTopic1", "TestTopic2")
		j.wantRoute("registered", onNewMaster, "TestTopic", "TestTopic1", "TestTopic2")
		j.unregister(leave...)
		j.wantRoute("unregistered", "none", "TestTopic", "TestTopic1", "TestTopic2", "baseTopic")
	}
}

// Given a master, the route has its slave too as soon as that has registered.
//
// Java: RouteInfoManagerNewTest#registerSlaveBroker
func TestN06_registerSlaveBroker(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	j.wantRoute("the master alone", onNewMaster, "TestTopic")
	j.bring(newSlave, "TestTopic")
	j.wantRoute("with its slave", onNewBoth, "TestTopic")
}

// Given master and slave, a topic that the master registers later leads to both.
//
// Java: RouteInfoManagerNewTest#createNewTopic
func TestN07_createNewTopic(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	j.bring(newSlave, "TestTopic")
	j.bring(newMaster, "TestTopic", "TestTopic1")
	j.wantRoute("created", onNewBoth, "TestTopic", "TestTopic1")
}

// switchRoles lets a master leave, its slave become master with a newer data
// version, and the old master come back as slave; nobody acts as master.
func switchRoles(j *javaTable, leave func(master javaBroker)) {
	j.t.Helper()
	master, slave := newMaster.notActing().over(1), newSlave.notActing().over(2)
	j.bring(master, "TestTopic")
	j.bring(slave, "TestTopic")
	leave(master)
	j.wantRoute("without master", onNewSlave, "TestTopic")
	j.bring(slave.at(slave.BrokerAddr, 0).next(), "TestTopic")
	j.wantRoute("the slave is master", "Default_Broker 0=127.0.0.1:30911 8/8/6", "TestTopic")
	j.bring(master.at(master.BrokerAddr, 1).next().over(3), "TestTopic")
	j.wantRoute("the old master is slave", onNewSwapped, "TestTopic")
}

// The master unregisters, its slave takes its place, and the old master comes
// back as slave: the route shows each as what it last registered.
//
// Java: RouteInfoManagerNewTest#switchBrokerRole
func TestN08_switchBrokerRole(t *testing.T) {
	j := newTable(t)
	switchRoles(j, func(master javaBroker) { j.unregister(master) })
}

// Given master and slave, when the slave unregisters the master is left; each
// time again (the Java test uses its queue the second time).
//
// Java: RouteInfoManagerNewTest#unRegisterSlaveBroker
func TestN09_unRegisterSlaveBroker(t *testing.T) {
	j := newTable(t)
	for range 2 {
		j.bring(newMaster, "TestTopic")
		j.bring(newSlave, "TestTopic")
		j.wantRoute("both", onNewBoth, "TestTopic")
		j.unregister(newSlave)
		j.wantRoute("without slave", onNewMaster, "TestTopic")
	}
}

// Given master and slave that want acting masters, when the master unregisters
// the slave is shown as master, read only.
//
// Java: RouteInfoManagerNewTest#unRegisterMasterBroker
func TestN10_unRegisterMasterBroker(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	j.bring(newSlave, "TestTopic")
	j.unregister(newMaster)
	j.wantRoute("without master", onActing, "TestTopic")
}

// Given master and slave without acting masters, when the master unregisters
// the slave keeps its ID and the topic its permission. It keeps its ID also when
// nobody can write to it any more.
//
// Java: RouteInfoManagerNewTest#unRegisterMasterBrokerOldVersion
func TestN11_unRegisterMasterBrokerOldVersion(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster.notActing(), "TestTopic")
	j.bring(newSlave.notActing(), "TestTopic")
	j.unregister(newMaster)
	j.wantRoute("without master", onNewSlave, "TestTopic")
	j.WipeWritePermOfBroker("Default_Broker")
	j.wantRoute("wiped", "Default_Broker 1=127.0.0.1:30911 8/8/4", "TestTopic")
}

// Given two masters with a topic each, both routes go when both unregister in
// one change (in Java: in one batch of its queue).
//
// Java: RouteInfoManagerNewTest#submitMultiUnRegisterRequests
func TestN12_submitMultiUnRegisterRequests(t *testing.T) {
	j := newTable(t)
	other := newMaster.named("Default_Broker1").at("127.0.0.1:109119", 0)
	j.bring(newMaster, "TestTopic1")
	j.bring(other, "TestTopic2")
	j.wantRoute("registered", onNewMaster, "TestTopic1")
	j.wantRoute("registered", "Default_Broker1 0=127.0.0.1:109119 8/8/6", "TestTopic2")
	j.unregister(newMaster, other)
	j.wantRoute("both unregistered", "none", "TestTopic1", "TestTopic2", "baseTopic")
}

// Given a registered broker, its own data version is unchanged; one with another
// timestamp, or a higher counter, is changed.
//
// Java: RouteInfoManagerNewTest#isBrokerTopicConfigChanged
func TestN13_isBrokerTopicConfigChanged(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	own := newMaster.version
	for _, tc := range []struct {
		name    string
		version codec.DataVersion
		changed bool
	}{
		{"its own", own, false},
		{"another timestamp", codec.DataVersion{Timestamp: own.Timestamp + 1000, Counter: own.Counter}, true},
		{"a higher counter", codec.DataVersion{Timestamp: own.Timestamp, Counter: own.Counter + 1}, true},
		{"another state version", codec.DataVersion{StateVersion: 1, Timestamp: own.Timestamp, Counter: own.Counter}, true},
	} {
		if got := j.liveInfo(newMaster).IsBrokerTopicConfigChanged(tc.version); got != tc.changed {
			t.Errorf("%s: changed is %v, want %v", tc.name, got, tc.changed)
		}
	}
}

// liveInfo returns the live entry of a broker, nil when there is none.
func (j *javaTable) liveInfo(b javaBroker) *LiveInfo {
	if live, ok := j.View().Live([]byte(b.Cluster), []byte(b.BrokerAddr)); ok {
		return live
	}
	return nil
}

// Given nothing, a topic config counts as changed. Given the broker with the
// topic, its data version again changes nothing about that topic, while a topic
// that is not known yet counts as changed and is stored. (Java asks a method;
// here the next registration shows it.)
//
// Java: RouteInfoManagerNewTest#isTopicConfigChanged
func TestN14_isTopicConfigChanged(t *testing.T) {
	j := newTable(t)
	if !j.liveInfo(newMaster).IsBrokerTopicConfigChanged(newMaster.version) {
		t.Error("the data version of an unknown broker counts as unchanged")
	}
	j.bring(newMaster, "TestTopic")
	j.wantRoute("registered", onNewMaster, "TestTopic")
	again := append(topicConfigs(4, "TestTopic"), topicConfigs(8, "TestTopic1")...)
	j.register(newMaster, again...)
	j.wantRoute("the same data version", onNewMaster, "TestTopic", "TestTopic1")
	j.register(newMaster.next(), again...)
	j.wantRoute("the next data version", "Default_Broker 0=127.0.0.1:10911 4/4/6", "TestTopic")
}

// Given a registered broker, the data version that is stored is the one it sent.
//
// Java: RouteInfoManagerNewTest#queryBrokerTopicConfig
func TestN15_queryBrokerTopicConfig(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	if live := j.liveInfo(newMaster); live == nil || live.NullDataVersion || live.DataVersion != newMaster.version {
		t.Errorf("the live entry is %+v, want the data version %+v", live, newMaster.version)
	}
}

// Given a writable topic, wiping its broker's write permission leaves it
// readable.
//
// Java: RouteInfoManagerNewTest#wipeWritePermOfBrokerByLock
func TestN16_wipeWritePermOfBrokerByLock(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	j.wantRoute("registered", onNewMaster, "TestTopic")
	if got := j.WipeWritePermOfBroker("Default_Broker"); got != 2 {
		t.Errorf("%d topics wiped, want 2", got)
	}
	j.wantRoute("wiped", "Default_Broker 0=127.0.0.1:10911 8/8/4", "TestTopic")
}
