package route

import "testing"

// Given one broker, the route has its name, address, queues and permission.
// Given a second name at the same address, it has both.
//
// Java: RouteInfoManagerNewTest#pickupTopicRouteData
func TestN17_pickupTopicRouteData(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	j.wantRoute("one name", onNewMaster, "TestTopic")
	j.bring(newMaster.named("AnotherBroker"), "TestTopic")
	j.wantRoute("two names", "AnotherBroker 0=127.0.0.1:10911 8/8/6; "+onNewMaster, "TestTopic")
}

// The route of master and slave is writable; without the master it has one
// address and is not; it is writable again when the master is back.
//
// Java: RouteInfoManagerNewTest#pickupTopicRouteDataWithSlave
func TestN18_pickupTopicRouteDataWithSlave(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	j.bring(newSlave, "TestTopic")
	j.wantRoute("both", onNewBoth, "TestTopic")
	j.unregister(newMaster)
	j.wantRoute("without master", onActing, "TestTopic")
	j.bring(newMaster, "TestTopic")
	j.wantRoute("the master is back", onNewBoth, "TestTopic")
}

// A broker with the default timeout outlives a scan at once. With a timeout of
// 30 s it outlives the 30th second after it was heard of, and not a millisecond
// more. (The Java test waits and asserts nothing.)
//
// Java: RouteInfoManagerNewTest#scanNotActiveBroker
func TestN19_scanNotActiveBroker(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic")
	nothing := func() {}
	register := func() { j.bring(newMaster.silentFor(30_000), "TestTopic") }
	beat := func() { j.Heartbeat(j.now, []byte(newMaster.Cluster), []byte(newMaster.BrokerAddr)) }
	for _, step := range []struct {
		when          string
		advance       int64
		do            func()
		expired, want string
	}{
		{"at once", 0, nothing, "", onNewMaster},
		{"after the default timeout", DefaultHeartbeatTimeoutMillis, nothing, "", onNewMaster},
		{"registered anew, at once", 0, register, "", onNewMaster},
		{"after 30 s", 30_000, beat, "", onNewMaster},
		{"30 s after the heartbeat", 30_000, nothing, "", onNewMaster},
		{"a millisecond later", 1, nothing, "127.0.0.1:10911", "none"},
		{"once more", 0, nothing, "", "none"},
	} {
		j.now += step.advance
		step.do()
		if got := j.expire(); got != step.expired {
			t.Errorf("%s: expired are %q, want %q", step.when, got, step.expired)
		}
		j.wantRoute(step.when, step.want, "TestTopic")
	}
}

// orderTopicWithActingSlave plays what partition and global order topics have in
// common: a slave alone, and a slave whose master has left, are shown as master
// and cannot be written to.
func orderTopicWithActingSlave(j *javaTable, topic string, queues int32, acting string) {
	j.t.Helper()
	bring := func(b javaBroker) {
		j.register(b, append(topicConfigs(16, "baseTopic"), topicConfigs(queues, topic)...)...)
	}
	bring(newSlave)
	j.wantRoute("the slave alone", acting, topic)
	j.unregister(newSlave)
	j.wantRoute("nobody", "none", topic)

	bring(newSlave)
	bring(newMaster)
	j.unregister(newMaster)
	j.wantRoute("the master has left", acting, topic)
	j.unregister(newSlave)
	j.wantRoute("nobody again", "none", topic)
}

// An order topic of a slave without master leads to that slave, shown as master,
// read only. Of two broker sets that share their addresses, only the one that
// has lost its master shows its slave in that place.
//
// Java: RouteInfoManagerNewTest#pickupPartitionOrderTopicRouteData
func TestN20_pickupPartitionOrderTopicRouteData(t *testing.T) {
	const topic = "PartitionOrderTopicTest"
	j := newTable(t)
	orderTopicWithActingSlave(j, topic, 8, onActing)

	const another = "Default_Broker_ANOTHER 0=127.0.0.1:10911 1=127.0.0.1:30911 8/8/6"
	j.bring(newSlave, topic)
	j.bring(newMaster, topic)
	j.bring(newMaster.named("Default_Broker_ANOTHER"), topic)
	j.bring(newSlave.named("Default_Broker_ANOTHER"), topic)
	j.wantRoute("two sets", onNewBoth+"; "+another, topic)
	j.unregister(newMaster)
	j.wantRoute("one has lost its master", onActing+"; "+another, topic)
}

// The same for a global order topic, which has one queue.
//
// Java: RouteInfoManagerNewTest#pickupGlobalOrderTopicRouteData
func TestN21_pickupGlobalOrderTopicRouteData(t *testing.T) {
	j := newTable(t)
	orderTopicWithActingSlave(j, "GlobalOrderTopicTest", 1, "Default_Broker 0=127.0.0.1:30911 1/1/4")
}

// The topic of a slave alone cannot be written to; with its master it can, and
// only as long as the master is there. If somebody makes it writable in between,
// the slave is no longer shown as master. If the slave becomes master, with the
// data version it had, its topic is writable.
//
// Java: RouteInfoManagerNewTest#registerOnlySlaveBroker
func TestN22_registerOnlySlaveBroker(t *testing.T) {
	j := newTable(t)
	j.bring(newSlave, "TestTopic")
	j.wantRoute("the slave alone", onActing, "TestTopic")
	j.unregister(newSlave)

	j.bring(newMaster, "TestTopic")
	j.bring(newSlave, "TestTopic")
	j.wantRoute("both", onNewBoth, "TestTopic")
	j.unregister(newMaster)
	j.wantRoute("the master has left", onActing, "TestTopic")
	j.bring(newMaster, "TestTopic")
	j.wantRoute("the master is back", onNewBoth, "TestTopic")

	j.unregister(newMaster)
	j.AddWritePermOfBroker("Default_Broker")
	j.wantRoute("made writable", onNewSlave, "TestTopic")
	j.WipeWritePermOfBroker("Default_Broker")
	j.wantRoute("read only again", onActing, "TestTopic")
	j.bring(newSlave.at(newSlave.BrokerAddr, 0), "TestTopic")
	j.wantRoute("the slave is master", "Default_Broker 0=127.0.0.1:30911 8/8/6", "TestTopic")
}

// lose closes a connection that so many brokers had registered over.
func (j *javaTable) lose(conn uint64, brokers int) {
	j.t.Helper()
	if got := j.ConnClosed(conn); got != brokers {
		j.t.Errorf("%d brokers lost with connection %d, want %d", got, conn, brokers)
	}
}

// A broker goes with its connection, and with it its topics. Of master and slave
// on two connections each goes with its own.
//
// Java: RouteInfoManagerNewTest#onChannelDestroy
func TestN23_onChannelDestroy(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster.over(1), "TestTopic", "TestTopic1")
	j.lose(1, 1)
	j.wantRoute("the connection is lost", "none", "TestTopic", "TestTopic1")

	j.bring(newMaster.notActing().over(2), "TestTopic")
	j.bring(newSlave.notActing().over(3), "TestTopic")
	j.wantRoute("both", onNewBoth, "TestTopic")
	j.lose(2, 1)
	j.wantRoute("the master's connection is lost", onNewSlave, "TestTopic")
	j.lose(3, 1)
	j.wantRoute("the slave's connection is lost", "none", "TestTopic")
}

// A broker that is given up by cluster and address, as the scan does it, takes
// its topics with it. A broker of another cluster at that address stays: it has
// registered a second time, with a longer timeout.
//
// Java: RouteInfoManagerNewTest#onChannelDestroyByBrokerInfo
func TestN24_onChannelDestroyByBrokerInfo(t *testing.T) {
	j := newTable(t)
	other := newMaster.in("Another_Cluster").named("AnotherBroker").over(1)
	j.bring(other.silentFor(1), "TestTopic2")
	j.bring(newMaster.over(1), "TestTopic", "TestTopic1")
	j.bring(other.silentFor(3*DefaultHeartbeatTimeoutMillis), "TestTopic2")
	j.now += DefaultHeartbeatTimeoutMillis + 1
	expired := j.ScanNotActiveBroker(j.now)
	if want := (ExpiredBroker{BrokerKey: BrokerKey{"Default_Cluster", "127.0.0.1:10911"}, Conn: 1}); len(expired) != 1 || expired[0] != want {
		t.Errorf("expired are %+v, want %+v", expired, want)
	}
	j.wantRoute("given up", "none", "TestTopic", "TestTopic1")
	j.wantRoute("in the other cluster", "AnotherBroker 0=127.0.0.1:10911 8/8/6", "TestTopic2")
}

// As N08, but the master leaves by losing its connection.
//
// Java: RouteInfoManagerNewTest#switchBrokerRole_ChannelDestroy
func TestN25_switchBrokerRole_ChannelDestroy(t *testing.T) {
	j := newTable(t)
	switchRoles(j, func(master javaBroker) { j.lose(master.conn, 1) })
}

// Without deleteTopicWithBrokerRegistration a topic stays when its broker's
// registration does not list it any more.
//
// Java: RouteInfoManagerNewTest#keepTopicWithBrokerRegistration
func TestN26_keepTopicWithBrokerRegistration(t *testing.T) {
	j := newTable(t)
	j.bring(newMaster, "TestTopic", "TestTopic1")
	j.bring(newMaster, "TestTopic1")
	j.wantRoute("registered without it", onNewMaster, "TestTopic", "TestTopic1")
}

// With deleteTopicWithBrokerRegistration it goes.
//
// Java: RouteInfoManagerNewTest#deleteTopicWithBrokerRegistration
func TestN27_deleteTopicWithBrokerRegistration(t *testing.T) {
	j := newTable(t)
	j.deleteMissing = true
	j.bring(newMaster, "TestTopic", "TestTopic1")
	j.wantRoute("registered", onNewMaster, "TestTopic", "TestTopic1")
	j.bring(newMaster, "TestTopic1")
	j.wantRoute("registered without it", "none", "TestTopic")
	j.wantRoute("registered with it", onNewMaster, "TestTopic1")
}

// A topic of two masters goes from the one that lists it no more, and as a whole
// with the second.
//
// Java: RouteInfoManagerNewTest#deleteTopicWithBrokerRegistration2
func TestN28_deleteTopicWithBrokerRegistration2(t *testing.T) {
	const onOther = "Default_Broker_2 0=127.0.0.1:10912 8/8/6"
	j := newTable(t)
	j.deleteMissing = true
	other := newMaster.named("Default_Broker_2").at("127.0.0.1:10912", 0)
	j.bring(newMaster, "TestTopic", "TestTopic1")
	j.bring(other, "TestTopic", "TestTopic1")
	j.wantRoute("on both", onNewMaster+"; "+onOther, "TestTopic", "TestTopic1")
	j.bring(newMaster, "TestTopic1")
	j.wantRoute("dropped by the first", onOther, "TestTopic")
	j.wantRoute("kept by both", onNewMaster+"; "+onOther, "TestTopic1")
	j.bring(other, "TestTopic1")
	j.wantRoute("dropped by both", "none", "TestTopic")
	j.wantRoute("still kept by both", onNewMaster+"; "+onOther, "TestTopic1")
}

// A topic registered alone is stored only for a broker that is known. It stays
// when the next registration lists it, goes when it does not, and goes with its
// broker.
//
// Java: RouteInfoManagerNewTest#registerSingleTopicWithBrokerRegistration
func TestN29_registerSingleTopicWithBrokerRegistration(t *testing.T) {
	j := newTable(t)
	j.deleteMissing = true
	if j.offer("TestTopic", "Default_Broker", 6, 0) {
		t.Error("a topic is stored for a broker that is not known")
	}
	j.wantRoute("no broker", "none", "TestTopic")
	j.bring(newMaster, "TestTopic")
	j.wantRoute("registered", onNewMaster, "TestTopic")

	if !j.offer("TestTopic1", "Default_Broker", 6, 0) {
		t.Error("a topic is refused for a broker that is known")
	}
	j.wantRoute("a topic alone", onNewMaster, "TestTopic", "TestTopic1")
	j.bring(newMaster, "TestTopic", "TestTopic1")
	j.wantRoute("listed", onNewMaster, "TestTopic", "TestTopic1")
	j.bring(newMaster, "TestTopic")
	j.wantRoute("listed still", onNewMaster, "TestTopic")
	j.wantRoute("listed no more", "none", "TestTopic1")

	j.offer("TestTopic1", "Default_Broker", 6, 0)
	j.wantRoute("a topic alone again", onNewMaster, "TestTopic", "TestTopic1")
	j.unregister(newMaster)
	j.wantRoute("unregistered", "none", "TestTopic", "TestTopic1")
}
