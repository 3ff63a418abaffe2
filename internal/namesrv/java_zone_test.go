package namesrv_test

import (
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// A zoneServer knows two masters in two zones, which serve the same topic.
type zoneServer struct {
	*nstest.Client
	t *testing.T
}

func startZones(t *testing.T) *zoneServer {
	c := start(t, nil).dial(t)
	for _, b := range []nstest.Broker{
		{Cluster: "C", Name: "BrokerA", Addr: "127.0.0.1:10911", Fields: []string{"__ZONE_NAME", "ZoneA"}},
		{Cluster: "C", Name: "BrokerB", Addr: "127.0.0.1:10912", Fields: []string{"__ZONE_NAME", "ZoneB"}},
	} {
		b.Topics = []string{"T", "U"}
		wantCode(t, c.Do(b.Register()), codec.RespSuccess, "")
	}
	return &zoneServer{c, t}
}

// untouched sends a request with and without zone fields, and compares.
func (z *zoneServer) untouched(code codec.RequestCode, topic string, zone ...string) {
	z.t.Helper()
	want := z.Do(nstest.Request(code, "topic", topic))
	got := z.Do(nstest.Request(code, append([]string{"topic", topic}, zone...)...))
	wantCode(z.t, got, codec.ResponseCode(want.Code), string(want.Remark))
	if string(got.Body) != string(want.Body) {
		z.t.Errorf("with %v the body is\n\t%s, without\n\t%s", zone, got.Body, want.Body)
	}
}

// both fails unless the route of the topic shows the brokers of both zones.
func (z *zoneServer) both() {
	z.t.Helper()
	body := string(z.Do(nstest.Route("T")).Body)
	if strings.Count(body, `"brokerName":"BrokerA"`) != 2 || strings.Count(body, `"brokerName":"BrokerB"`) != 2 {
		z.t.Errorf("the whole route is %s", body)
	}
}

// Another request with zone fields, and a route request with the zone mode off,
// are answered as without them.
//
// Java: ZoneRouteRPCHookTest#testDoAfterResponseWithNoZoneMode
func TestZ01_testDoAfterResponseWithNoZoneMode(t *testing.T) {
	z := startZones(t)
	z.untouched(codec.ReqGetBrokerClusterInfo, "T", "__ZONE_MODE", "true", "__ZONE_NAME", "ZoneA")
	z.untouched(codec.ReqGetRouteInfoByTopic, "T", "__ZONE_MODE", "false", "__ZONE_NAME", "ZoneA")
	z.untouched(codec.ReqGetRouteInfoByTopic, "T", "__ZONE_NAME", "ZoneA")
}

// A route request in zone mode that names no zone gets the whole route.
//
// Java: ZoneRouteRPCHookTest#testDoAfterResponseWithNoZoneName
func TestZ02_testDoAfterResponseWithNoZoneName(t *testing.T) {
	z := startZones(t)
	z.untouched(codec.ReqGetRouteInfoByTopic, "T", "__ZONE_MODE", "true")
	z.untouched(codec.ReqGetRouteInfoByTopic, "T", "__ZONE_MODE", "true", "__ZONE_NAME", "")
	z.untouched(codec.ReqGetRouteInfoByTopic, "T", "__ZONE_MODE", "true", "__ZONE_NAME", " ")
}

// There is nothing to filter in an answer that is no route: whatever is refused
// is refused in the same words, and without body.
//
// Java: ZoneRouteRPCHookTest#testDoAfterResponseWithNoResponse
func TestZ03_testDoAfterResponseWithNoResponse(t *testing.T) {
	z := startZones(t)
	zone := []string{"__ZONE_MODE", "true", "__ZONE_NAME", "ZoneA"}
	z.untouched(codec.ReqGetRouteInfoByTopic, "unknown", zone...)
	z.untouched(codec.ReqRegisterBroker, "T", zone...)
	z.untouched(99999, "T", zone...)
}

// A route request of a zone gets the broker of that zone with its queues, and
// nothing of the other. (The Java test gives its hook an answer without body,
// and finds it without body again: so is that for a topic that is not known.)
//
// Java: ZoneRouteRPCHookMoreTest#testFilterByZoneName_ValidInput_ShouldFilterCorrectly
func TestZ05_testFilterByZoneName_ValidInput_ShouldFilterCorrectly(t *testing.T) {
	z := startZones(t)
	z.both()
	zone := []string{"__ZONE_MODE", "true", "__ZONE_NAME", "ZoneA"}
	wantBody(t, z.Client, nstest.Request(codec.ReqGetRouteInfoByTopic, append(zone, "topic", "T")...),
		`{"brokerDatas":[{"brokerAddrs":{"0":"127.0.0.1:10911"},"brokerName":"BrokerA","cluster":"C","enableActingMaster":false,"zoneName":"ZoneA"}],`+
			`"filterServerTable":{},"queueDatas":[{"brokerName":"BrokerA","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}`)
	reply := z.Do(nstest.Request(codec.ReqGetRouteInfoByTopic, append(zone, "topic", "unknown")...))
	if got := codec.ResponseCode(reply.Code); got != codec.RespTopicNotExist || len(reply.Body) > 0 {
		t.Errorf("an unknown topic is answered %v with the body %s", got, reply.Body)
	}
}

// In zone mode without a zone's name both brokers are in the route.
//
// Java: ZoneRouteRPCHookMoreTest#testFilterByZoneName_NoZoneName_ShouldNotFilter
func TestZ06_testFilterByZoneName_NoZoneName_ShouldNotFilter(t *testing.T) {
	z := startZones(t)
	z.both()
	z.untouched(codec.ReqGetRouteInfoByTopic, "T", "__ZONE_MODE", "true")
}

// With the zone mode off both brokers are in the route, though a zone is named.
//
// Java: ZoneRouteRPCHookMoreTest#testFilterByZoneName_ZoneModeFalse_ShouldNotFilter
func TestZ07_testFilterByZoneName_ZoneModeFalse_ShouldNotFilter(t *testing.T) {
	z := startZones(t)
	z.both()
	z.untouched(codec.ReqGetRouteInfoByTopic, "T", "__ZONE_MODE", "false", "__ZONE_NAME", "ZoneA")
}
