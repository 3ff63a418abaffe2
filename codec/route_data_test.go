package codec

import (
	"errors"
	"reflect"
	"testing"
)

// What a name server answers for one topic, with everything in it.
func fullRoute() *TopicRouteData {
	return &TopicRouteData{
		BrokerDatas: []BrokerData{{
			Cluster: "群组/c", BrokerName: "broker-a", BrokerAddrs: []BrokerAddr{{0, "10.0.0.1:10911"}, {1, "10.0.0.2:10911"}}, ZoneName: "zoneA", HasZoneName: true,
		}},
		FilterServerTable: []FilterServers{{"10.0.0.1:10911", []string{"10.0.0.1:30000", "10.0.0.1:30001"}}},
		OrderTopicConf:    "broker-a:8;broker-b:8", HasOrderTopicConf: true,
		QueueDatas: []QueueData{{BrokerName: "broker-a", ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6}},
		QueueMappingByBroker: []BrokerQueueMapping{{"broker-a", TopicQueueMappingInfo{
			Topic: "StaticT", Scope: "__global__", TotalQueues: 4, Bname: "broker-a", Epoch: 1700000000000, CurrIDMap: []QueueID{{0, 0}, {2, 1}},
		}}},
	}
}

func TestTopicRouteDataJSON(t *testing.T) {
	for _, tt := range []struct {
		name    string
		in      *TopicRouteData
		dialect Dialect
		want    string
	}{
		{"legacy", &TopicRouteData{
			BrokerDatas: []BrokerData{{Cluster: "DefaultCluster", BrokerName: "broker-a", BrokerAddrs: []BrokerAddr{{0, "10.0.0.1:10911"}, {1, "10.0.0.2:10911"}}}},
			QueueDatas:  []QueueData{{BrokerName: "broker-a", ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6}},
		}, DialectLegacy, `{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]}`},
		{"strict, everything", fullRoute(), DialectStrict, `{"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911","1":"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"\u7FA4\u7EC4\/c","enableActingMaster":false,"zoneName":"zoneA"}],"filterServerTable":{"10.0.0.1:10911":["10.0.0.1:30000","10.0.0.1:30001"]},"orderTopicConf":"broker-a:8;broker-b:8","queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}],"topicQueueMappingByBroker":{"broker-a":{"bname":"broker-a","currIdMap":{"0":0,"2":1},"dirty":false,"epoch":1700000000000,"scope":"__global__","topic":"StaticT","totalQueues":4}}}`},
		{"legacy, everything", fullRoute(), DialectLegacy, `{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"群组/c","enableActingMaster":false,"zoneName":"zoneA"}],"filterServerTable":{"10.0.0.1:10911":["10.0.0.1:30000","10.0.0.1:30001"]},"orderTopicConf":"broker-a:8;broker-b:8","queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}],"topicQueueMappingByBroker":{"broker-a":{"bname":"broker-a","currIdMap":{0:0,2:1},"dirty":false,"epoch":1700000000000,"scope":"__global__","topic":"StaticT","totalQueues":4}}}`},
		{"nothing in it", &TopicRouteData{}, DialectStrict, `{"brokerDatas":[],"filterServerTable":{},"queueDatas":[]}`},
		{"empty but not null", &TopicRouteData{
			BrokerDatas: []BrokerData{{HasZoneName: true, EnableActingMaster: true}}, FilterServerTable: []FilterServers{{"a", nil}, {"b", []string{}}, {"c", nil}, {"d", []string{"e"}}},
			HasOrderTopicConf: true, QueueMappingByBroker: []BrokerQueueMapping{},
		}, DialectStrict, `{"brokerDatas":[{"brokerAddrs":{},"brokerName":"","cluster":"","enableActingMaster":true,"zoneName":""}],"filterServerTable":{"b":[],"d":["e"]},"orderTopicConf":"","queueDatas":[],"topicQueueMappingByBroker":{}}`},
		{
			"null in a mapping", &TopicRouteData{QueueMappingByBroker: []BrokerQueueMapping{{"b", TopicQueueMappingInfo{Scope: "s"}}, {"c", TopicQueueMappingInfo{CurrIDMap: []QueueID{}, Dirty: true}}}}, DialectLegacy,
			`{"brokerDatas":[],"filterServerTable":{},"queueDatas":[],"topicQueueMappingByBroker":{"b":{"dirty":false,"epoch":0,"scope":"s","totalQueues":0},"c":{"currIdMap":{},"dirty":true,"epoch":0,"scope":"","totalQueues":0}}}`,
		},
		{"several of each", &TopicRouteData{
			BrokerDatas: []BrokerData{{BrokerName: "a", BrokerAddrs: []BrokerAddr{{-1, "x"}, {1 << 40, "y"}}}, {BrokerName: "b"}},
			QueueDatas:  []QueueData{{BrokerName: "a", Perm: -1, ReadQueueNums: 1, WriteQueueNums: 2, TopicSysFlag: 3}, {BrokerName: "b"}},
		}, DialectStrict, `{"brokerDatas":[{"brokerAddrs":{"-1":"x","1099511627776":"y"},"brokerName":"a","cluster":"","enableActingMaster":false},{"brokerAddrs":{},"brokerName":"b","cluster":"","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"a","perm":-1,"readQueueNums":1,"topicSysFlag":3,"writeQueueNums":2},{"brokerName":"b","perm":0,"readQueueNums":0,"topicSysFlag":0,"writeQueueNums":0}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(tt.in.AppendJSON(nil, tt.dialect)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestTopicRouteDataDecode(t *testing.T) {
	for _, dialect := range []Dialect{DialectLegacy, DialectStrict} {
		body := fullRoute().AppendJSON(nil, dialect)
		var got TopicRouteData
		if err := got.Decode(body); err != nil || !reflect.DeepEqual(&got, fullRoute()) {
			t.Errorf("%s: %v, got\n%+v\nwant\n%+v", body, err, got, *fullRoute())
		}
		for n := range body {
			if err := got.Decode(body[:n]); err == nil {
				t.Errorf("dialect %d, cut at %d: no error", dialect, n)
			}
		}
	}
	for _, tt := range []struct {
		name, in string
		want     TopicRouteData
	}{
		{"nothing in it", `{}`, TopicRouteData{}},
		{"null members", `{"queueDatas":null,"brokerDatas":null,"filterServerTable":null,"orderTopicConf":null,"topicQueueMappingByBroker":null}`, TopicRouteData{}},
		{"queue data without members", `{"queueDatas":[{},{"brokerName":"b","perm":null,"x":1}]}`, TopicRouteData{QueueDatas: []QueueData{{}, {BrokerName: "b"}}}},
		{
			"smart match", `{queue_datas:[{broker_name:'b',Perm:"6",READQUEUENUMS:1,write_queue_nums:2,topic_sys_flag:3}],x:{}}`,
			TopicRouteData{QueueDatas: []QueueData{{BrokerName: "b", Perm: 6, ReadQueueNums: 1, WriteQueueNums: 2, TopicSysFlag: 3}}},
		},
		{
			"maps unsorted and twice", `{"brokerDatas":[{"brokerAddrs":{"10":"j",2:"c",'2':"d"},"enableActingMaster":"true","cluster":"C","y":0}],"filterServerTable":{"b":["1"],"a":null,"b":[]},"topicQueueMappingByBroker":{"c":{},"b":{}}}`,
			TopicRouteData{
				BrokerDatas:       []BrokerData{{Cluster: "C", BrokerAddrs: []BrokerAddr{{2, "d"}, {10, "j"}}, EnableActingMaster: true}},
				FilterServerTable: []FilterServers{{"a", nil}, {"b", []string{}}},
				QueueMappingByBroker: []BrokerQueueMapping{
					{"b", TopicQueueMappingInfo{Scope: "__global__", CurrIDMap: []QueueID{}}},
					{"c", TopicQueueMappingInfo{Scope: "__global__", CurrIDMap: []QueueID{}}},
				},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got TopicRouteData
			if err := got.Decode([]byte(tt.in)); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s: %v, got\n%+v\nwant\n%+v", tt.in, err, got, tt.want)
			}
		})
	}
	for _, in := range []string{
		``, `null`, `[]`, `{"queueDatas":{}}`, `{"queueDatas":[null]}`, `{"queueDatas":[{"perm":"x"}]}`, `{"brokerDatas":[1]}`,
		`{"brokerDatas":[{"brokerAddrs":{"x":"a"}}]}`, `{"brokerDatas":[{"brokerAddrs":[]}]}`, `{"filterServerTable":{1:[]}}`, `{"filterServerTable":{"a":{}}}`, `{"topicQueueMappingByBroker":{"a":null}}`,
	} {
		var got TopicRouteData
		var bodyErr *BodyError
		if err := got.Decode([]byte(in)); !errors.As(err, &bodyErr) {
			t.Errorf("%s: %v; want a BodyError", in, err)
		}
	}
}

func TestOtherBodies(t *testing.T) {
	addrs := []BrokerAddr{{0, "10.0.0.1:10911"}, {1, "10.0.0.2:10911"}}
	for _, tt := range []struct {
		name string
		body interface{ AppendJSON([]byte) []byte }
		want string
	}{
		{"cluster info", &ClusterInfo{
			BrokerAddrTable:  []BrokerData{{Cluster: "DefaultCluster", BrokerName: "broker-a", BrokerAddrs: addrs, ZoneName: "zoneA", HasZoneName: true}, {BrokerName: "c/é"}},
			ClusterAddrTable: []ClusterNames{{"DefaultCluster", []string{"broker-a", "broker-b"}}, {"E", nil}},
		}, `{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false,"zoneName":"zoneA"},"c/é":{"brokerAddrs":{},"brokerName":"c/é","cluster":"","enableActingMaster":false}},"clusterAddrTable":{"DefaultCluster":["broker-a","broker-b"],"E":[]}}`},
		{"empty cluster info", &ClusterInfo{}, `{"brokerAddrTable":{},"clusterAddrTable":{}}`},
		{
			"member group", &BrokerMemberGroup{Cluster: "WRONG", HasCluster: true, BrokerName: "broker-a", HasBrokerName: true, BrokerAddrs: addrs},
			`{"brokerMemberGroup":{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"WRONG"}}`,
		},
		{"empty member group", &BrokerMemberGroup{}, `{"brokerMemberGroup":{"brokerAddrs":{}}}`},
		{"member group without cluster", &BrokerMemberGroup{HasBrokerName: true}, `{"brokerMemberGroup":{"brokerAddrs":{},"brokerName":""}}`},
		{"topic list", &TopicList{Topics: []string{"TopicB", "TopicA"}}, `{"topicList":["TopicB","TopicA"]}`},
		{"topic list with address", &TopicList{HasBrokerAddr: true, BrokerAddr: "a:1"}, `{"brokerAddr":"a:1","topicList":[]}`},
		{"table", &KVTable{Entries: []Field{{"TopicA", "broker-a:4"}, {"b\"", "/"}}}, `{"table":{"TopicA":"broker-a:4","b\"":"/"}}`},
		{"empty table", &KVTable{}, `{"table":{}}`},
		{
			"KV config", &KVConfigTable{Namespaces: []KVNamespace{{"ORDER_TOPIC_CONFIG", []Field{{"TopicA", "broker-a:4"}}}, {"ns", nil}}},
			`{"configTable":{"ORDER_TOPIC_CONFIG":{"TopicA":"broker-a:4"},"ns":{}}}`,
		},
	} {
		if got := string(tt.body.AppendJSON([]byte("x"))); got != "x"+tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got[1:], tt.want)
		}
	}
}

func TestKVConfigTableDecode(t *testing.T) {
	for in, want := range map[string]string{
		`{"configTable":{"ORDER_TOPIC_CONFIG":{"TopicA":"broker-a:4"},"ns":{}}}`: `{"configTable":{"ORDER_TOPIC_CONFIG":{"TopicA":"broker-a:4"},"ns":{}}}`,
		`{}`:                   `{"configTable":{}}`,
		`{"configTable":null}`: `{"configTable":{}}`,
		"{config_table:{b:{'z':1,y:null,'x':\"2\",x:\"3\"},a:null,},other:[1]}\n": `{"configTable":{"b":{"x":"3","z":"1"}}}`,
	} {
		var got KVConfigTable
		if err := got.Decode([]byte(in)); err != nil || string(got.AppendJSON(nil)) != want {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", in, err, got.AppendJSON(nil), want)
		}
	}
	for _, in := range []string{``, `[]`, `{"configTable":[]}`, `{"configTable":{"a":"b"}}`, `{"configTable":{"a":{"b":"c"}}`} {
		var got KVConfigTable
		var bodyErr *BodyError
		if err := got.Decode([]byte(in)); !errors.As(err, &bodyErr) {
			t.Errorf("%s: %v; want a BodyError", in, err)
		}
	}
}
