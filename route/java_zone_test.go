package route

import (
	"testing"

	"gonamesrv/codec"
)

// A route is filtered for zone1. A broker set that shows no master stays in any
// zone, one whose master is in zone1 stays, one whose master is in zone2 goes
// with its queues and the filter servers at its address. One without addresses
// counts as one without master and keeps its place; Java passes it over, and no
// table of ours has one.
//
// Java: ZoneRouteRPCHookTest#testDoAfterResponseWithValidZoneFiltering
func TestZ04_testDoAfterResponseWithValidZoneFiltering(t *testing.T) {
	t.Parallel()
	const addrA, addrB = "127.0.0.1:10911", "127.0.0.1:10912"
	set := func(name, zone string, addrs ...codec.BrokerAddr) codec.BrokerData {
		return codec.BrokerData{BrokerName: name, ZoneName: zone, HasZoneName: true, BrokerAddrs: addrs}
	}
	queue := func(name string) codec.QueueData {
		return codec.QueueData{BrokerName: name, ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6}
	}
	filters := func(addr string) codec.FilterServers {
		return codec.FilterServers{Addr: addr, Servers: []string{}}
	}
	const (
		head    = `{"brokerDatas":[`
		bare    = `{"brokerAddrs":{},"brokerName":"BrokerA","cluster":"","enableActingMaster":false,"zoneName":"zone1"}`
		own     = `{"brokerAddrs":{"0":"127.0.0.1:10911"},"brokerName":"BrokerA","cluster":"","enableActingMaster":false,"zoneName":"zone1"}`
		slave   = `{"brokerAddrs":{"1":"127.0.0.1:10911"},"brokerName":"BrokerA","cluster":"","enableActingMaster":false,"zoneName":"zone2"}`
		without = `{"brokerAddrs":{},"brokerName":"BrokerC","cluster":"","enableActingMaster":false,"zoneName":"zone1"}`
		table   = `],"filterServerTable":{`
		queues  = `},"queueDatas":[{"brokerName":"BrokerA","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}`
	)
	masterA := set("BrokerA", "zone1", codec.BrokerAddr{ID: 0, Addr: addrA})
	masterB := set("BrokerB", "zone2", codec.BrokerAddr{ID: 0, Addr: addrB})
	withoutAddrs := set("BrokerC", "zone1")
	for _, tc := range []struct {
		name string
		data codec.TopicRouteData
		want string
	}{
		{
			"no addresses",
			codec.TopicRouteData{BrokerDatas: []codec.BrokerData{set("BrokerA", "zone1")}, QueueDatas: []codec.QueueData{queue("BrokerA")}},
			head + bare + table + queues,
		},
		{
			"a slave of another zone, without master",
			codec.TopicRouteData{
				BrokerDatas: []codec.BrokerData{set("BrokerA", "zone2", codec.BrokerAddr{ID: 1, Addr: addrA})},
				QueueDatas:  []codec.QueueData{queue("BrokerA")},
			},
			head + slave + table + queues,
		},
		{
			"a master of the zone",
			codec.TopicRouteData{BrokerDatas: []codec.BrokerData{masterA}, QueueDatas: []codec.QueueData{queue("BrokerA")}},
			head + own + table + queues,
		},
		{
			"a master of another zone",
			codec.TopicRouteData{
				BrokerDatas: []codec.BrokerData{masterA, masterB, withoutAddrs},
				QueueDatas:  []codec.QueueData{queue("BrokerA"), queue("BrokerB")},
			},
			head + own + "," + without + table + queues,
		},
		{
			"filter servers of the zone",
			codec.TopicRouteData{
				BrokerDatas:       []codec.BrokerData{masterA, masterB, withoutAddrs},
				QueueDatas:        []codec.QueueData{queue("BrokerA"), queue("BrokerB")},
				FilterServerTable: []codec.FilterServers{filters(addrA)},
			},
			head + own + "," + without + table + `"127.0.0.1:10911":[]` + queues,
		},
		{
			"filter servers of another zone",
			codec.TopicRouteData{
				BrokerDatas:       []codec.BrokerData{masterA, masterB, withoutAddrs},
				QueueDatas:        []codec.QueueData{queue("BrokerA"), queue("BrokerB")},
				FilterServerTable: []codec.FilterServers{filters(addrA), filters(addrB)},
			},
			head + own + "," + without + table + `"127.0.0.1:10911":[]` + queues,
		},
	} {
		FilterByZone(&tc.data, "zone1")
		if got := string(tc.data.AppendJSON(nil, codec.DialectStrict)); got != tc.want {
			t.Errorf("%s:\n\t%s, want\n\t%s", tc.name, got, tc.want)
		}
	}
}
