package route

import (
	"fmt"
	"strings"
	"testing"

	"gonamesrv/codec"
)

// clusterMember is a broker of RouteInfoManagerTestBase: its cluster has the
// names broker-0, broker-1 and broker-2, each with the IDs 0, 1 and 2.
func clusterMember(set, id int) javaBroker {
	return javaBroker{
		RegistrationHeader: RegistrationHeader{
			Cluster: "cluster", BrokerName: fmt.Sprintf("broker-%d", set), BrokerAddr: fmt.Sprintf("cluster-broker-%d:%d", set, id),
			BrokerID: int64(id), HasZoneName: true, TimeoutMillis: DefaultHeartbeatTimeoutMillis,
		},
		version: codec.DataVersion{Timestamp: 1, Counter: 1},
	}
}

// clusterTopics are the topics that every broker of the cluster has.
var clusterTopics = func() (names []string) {
	for i := range 10 {
		names = append(names, fmt.Sprintf("topic-%d", i))
	}
	return names
}()

const clusterTopicList = `{"topicList":["topic-0","topic-1","topic-2","topic-3","topic-4","topic-5","topic-6","topic-7","topic-8","topic-9"]}`

// clusterTable is a table with that cluster.
func clusterTable(t *testing.T, topics ...string) *javaTable {
	j := newJavaTable(t)
	for set := range 3 {
		for id := range 3 {
			j.register(clusterMember(set, id), topicConfigs(8, topics...)...)
		}
	}
	return j
}

// onSet is how the route of a topic shows one broker name with these members.
func onSet(set int, ids ...int) string {
	text := fmt.Sprintf("broker-%d", set)
	for _, id := range ids {
		text += fmt.Sprintf(" %d=%s", id, clusterMember(set, id).BrokerAddr)
	}
	return text + " 8/8/6"
}

// onCluster is the route of a topic: that of broker-0 as given, then the others.
func onCluster(first ...string) string {
	return strings.Join(append(first, onSet(1, 0, 1, 2), onSet(2, 0, 1, 2)), "; ")
}

// Given a master, when a slave's address registers as master the route shows it
// in that place. Its former ID and the former master are gone.
//
// Java: RouteInfoManagerBrokerRegisterTest#testMasterChangeFromSlave
func TestR01_testMasterChangeFromSlave(t *testing.T) {
	j := clusterTable(t, clusterTopics...)
	j.wantRoute("registered", onCluster(onSet(0, 0, 1, 2)), clusterTopics...)
	slave := clusterMember(0, 1)
	j.register(slave.at(slave.BrokerAddr, 0), topicConfigs(8, clusterTopics...)...)
	j.wantRoute("a slave is master", onCluster("broker-0 0=cluster-broker-0:1 2=cluster-broker-0:2 8/8/6"), clusterTopics...)
	if live := j.liveInfo(clusterMember(0, 0)); live != nil {
		t.Errorf("the former master is still alive: %+v", live)
	}
}

// When a slave unregisters, the route of its name does not show it any more.
//
// Java: RouteInfoManagerBrokerRegisterTest#testUnregisterBroker
func TestR02_testUnregisterBroker(t *testing.T) {
	j := clusterTable(t, clusterTopics...)
	j.unregister(clusterMember(0, 2))
	j.wantRoute("unregistered", onCluster(onSet(0, 0, 1)), clusterTopics...)
}

// Of a broker set, one member after the other falls silent while all others are
// heard of: each scan removes that member alone. (Without number in the table, R--: in
// Java it is commented out. It would set the member's time to 0.)
//
// Java: RouteInfoManagerBrokerRegisterTest#testScanNotActiveBroker
func TestR03_testScanNotActiveBroker(t *testing.T) {
	j := clusterTable(t, clusterTopics...)
	left := []string{onCluster(onSet(0, 1, 2)), onCluster(onSet(0, 2)), onCluster()}
	for silent, want := range left {
		j.now += DefaultHeartbeatTimeoutMillis + 1
		for set := range 3 {
			for id := range 3 {
				if set > 0 || id > silent {
					b := clusterMember(set, id)
					if !j.Heartbeat(j.now, []byte(b.Cluster), []byte(b.BrokerAddr)) {
						t.Errorf("the heartbeat of %s is not known", b.BrokerAddr)
					}
				}
			}
		}
		gone := clusterMember(0, silent).BrokerAddr
		if got := j.expire(); got != gone {
			t.Errorf("expired are %q, want %q", got, gone)
		}
		j.wantRoute("without "+gone, want, clusterTopics...)
	}
}

// Given one topic that can only be read, adding the write permission of its
// broker touches one topic and makes it writable.
//
// Java: RouteInfoManagerBrokerPermTest#testAddWritePermOfBrokerByLock
func TestP01_testAddWritePermOfBrokerByLock(t *testing.T) {
	j := newJavaTable(t)
	permOf(j, clusterMember(0, 0), 4)
	if got := j.AddWritePermOfBroker("broker-0"); got != 1 {
		t.Errorf("%d topics made writable, want 1", got)
	}
	j.wantRoute("added", onSet(0, 0), "unit-test")
}

// Given one topic that can only be read, wiping counts it all the same and
// leaves it as it is.
//
// Java: RouteInfoManagerBrokerPermTest#testWipeWritePermOfBrokerByLock
func TestP02_testWipeWritePermOfBrokerByLock(t *testing.T) {
	j := newJavaTable(t)
	permOf(j, clusterMember(0, 0), 4)
	if got := j.WipeWritePermOfBroker("broker-0"); got != 1 {
		t.Errorf("%d topics wiped, want 1", got)
	}
	j.wantRoute("wiped", "broker-0 0=cluster-broker-0:0 8/8/4", "unit-test")
}

// There is one cluster, with the three names and all their members.
//
// Java: RouteInfoManagerStaticRegisterTest#testGetAllClusterInfo
func TestS01_testGetAllClusterInfo(t *testing.T) {
	j := clusterTable(t, clusterTopics...)
	var sets []string
	for set := range 3 {
		sets = append(sets, fmt.Sprintf(`"broker-%d":{"brokerAddrs":{0:"cluster-broker-%d:0",1:"cluster-broker-%d:1",2:"cluster-broker-%d:2"},`+
			`"brokerName":"broker-%d","cluster":"cluster","enableActingMaster":false,"zoneName":""}`, set, set, set, set, set))
	}
	j.wantBody("cluster info", j.View().ClusterInfo(), `{"brokerAddrTable":{`+strings.Join(sets, ",")+
		`},"clusterAddrTable":{"cluster":["broker-0","broker-1","broker-2"]}}`)
}

// Exactly the ten topics are listed.
//
// Java: RouteInfoManagerStaticRegisterTest#testGetAllTopicList
func TestS02_testGetAllTopicList(t *testing.T) {
	j := clusterTable(t, clusterTopics...)
	j.wantBody("the list", j.View().AllTopicList(), clusterTopicList)
}

// Exactly the ten topics are those of the cluster.
//
// Java: RouteInfoManagerStaticRegisterTest#testGetTopicsByCluster
func TestS03_testGetTopicsByCluster(t *testing.T) {
	j := clusterTable(t, clusterTopics...)
	j.wantBody("the list", j.View().TopicsByCluster("cluster"), clusterTopicList)
}

// The route of each topic has the three complete broker sets in the order of
// their names, and of each the queues that it registered.
//
// Java: RouteInfoManagerStaticRegisterTest#testPickupTopicRouteData
func TestS04_testPickupTopicRouteData(t *testing.T) {
	j := clusterTable(t, clusterTopics...)
	j.wantRoute("registered", onCluster(onSet(0, 0, 1, 2)), clusterTopics...)
}

// A topic that is deleted has no route; the others keep theirs.
//
// Java: RouteInfoManagerStaticRegisterTest#testDeleteTopic
func TestS05_testDeleteTopic(t *testing.T) {
	j := clusterTable(t, clusterTopics...)
	j.wantBody("the list", j.View().AllTopicList(), clusterTopicList)
	j.DeleteTopic("topic-0")
	j.wantRoute("deleted", "none", "topic-0")
	j.wantRoute("not deleted", onCluster(onSet(0, 0, 1, 2)), clusterTopics[1:]...)
	j.wantBody("the list afterwards", j.View().AllTopicList(), strings.Replace(clusterTopicList, `"topic-0",`, "", 1))
}

// The system topics are the names of the cluster and of its brokers, and the
// address is that of the first.
//
// Java: RouteInfoManagerStaticRegisterTest#testGetSystemTopicList
func TestS06_testGetSystemTopicList(t *testing.T) {
	j := clusterTable(t, clusterTopics...)
	j.wantBody("the list", j.View().SystemTopicList(), `{"brokerAddr":"cluster-broker-0:0","topicList":["broker-0","broker-1","broker-2","cluster"]}`)
}

// wantUnits compares a unit list of the cluster: none of its own topics is in
// it; of those with flags on all three names, each once. Where names disagree
// about a topic, the smallest decides (in Java any of them).
func wantUnits(t *testing.T, list UnitList, want string) {
	t.Helper()
	j := clusterTable(t, clusterTopics...)
	j.wantBody("the list", j.View().TopicsByUnit(list), `{"topicList":[]}`)
	for set := range 3 {
		j.flagged(fmt.Sprintf("broker-%d", set))
	}
	j.offer("topic-0", "broker-2", 6, flagUnit|flagUnitSub)
	j.wantBody("the list", j.View().TopicsByUnit(list), want)
}

// The unit topics of a cluster.
//
// Java: RouteInfoManagerStaticRegisterTest#testGetUnitTopics
func TestS07_testGetUnitTopics(t *testing.T) {
	wantUnits(t, UnitTopics, `{"topicList":["both","unit"]}`)
}

// The unit subscription topics of a cluster.
//
// Java: RouteInfoManagerStaticRegisterTest#testGetHasUnitSubTopicList
func TestS08_testGetHasUnitSubTopicList(t *testing.T) {
	wantUnits(t, UnitSubTopics, `{"topicList":["both","sub"]}`)
}

// The unit subscription topics of a cluster that are not unit topics.
//
// Java: RouteInfoManagerStaticRegisterTest#testGetHasUnitSubUnUnitTopicList
func TestS09_testGetHasUnitSubUnUnitTopicList(t *testing.T) {
	wantUnits(t, UnitSubTopicsNoUnits, `{"topicList":["sub"]}`)
}
