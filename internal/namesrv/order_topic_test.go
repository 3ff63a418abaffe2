package namesrv_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestOrderTopics attaches order configurations to registrations and routes,
// as the keys say, which change while the server runs.
func TestOrderTopics(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		t.Run(fmt.Sprintf("routeReadsOnLoop=%v", onLoop), func(t *testing.T) {
			c := start(t, func(c *namesrv.Config) { c.RouteReadsOnLoop = onLoop }).dial(t)
			set := func(text string) {
				t.Helper()
				wantReply(t, c, updateConfig(text), 0, "", "", "")
			}
			registered := func(body string) {
				t.Helper()
				wantReply(t, c, brokerA.Register(), 0, "{}", "", body)
			}
			route := func(version int32, conf string, fields ...string) {
				t.Helper()
				r := nstest.Request(codec.ReqGetRouteInfoByTopic, append([]string{"topic", "T"}, fields...)...)
				r.Version = version
				id := "0"
				if version >= 401 {
					id = `"0"`
				}
				wantReply(t, c, r, 0, "", "", `{"brokerDatas":[{"brokerAddrs":{`+id+`:"10.0.0.1:10911"},"brokerName":"a","cluster":"C","enableActingMaster":false}],`+
					`"filterServerTable":{}`+conf+`,"queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}`)
			}
			registered("")
			wantReply(t, c, putKV("namespace", "ns", "key", "T", "value", "v"), 0, "", "", "")
			registered("")
			wantReply(t, c, putKV("namespace", "ORDER_TOPIC_CONFIG", "key", "other", "value", "a:1"), 0, "", "", "")
			wantReply(t, c, putKV("namespace", "ORDER_TOPIC_CONFIG", "key", "T", "value", "a:4/é"), 0, "", "", "")
			registered(`{"table":{"T":"a:4/é","other":"a:1"}}`)
			route(479, "")
			set("orderMessageEnable=true")
			route(479, `,"orderTopicConf":"a:4\/\u00E9"`)
			route(400, `,"orderTopicConf":"a:4/é"`)
			inZone := []string{"__ZONE_MODE", "true", "__ZONE_NAME", "z"}
			wantReply(t, c, nstest.Request(codec.ReqGetRouteInfoByTopic, append(inZone, "topic", "T")...), 0, "", "",
				`{"brokerDatas":[],"filterServerTable":{},"orderTopicConf":"a:4\/\u00E9","queueDatas":[]}`)
			set("returnOrderTopicConfigToBroker=false")
			registered("")
			wantReply(t, c, deleteKV("namespace", "ORDER_TOPIC_CONFIG", "key", "T"), 0, "", "", "")
			route(479, "")
			route(400, "")
			wantReply(t, c, putKV("namespace", "ORDER_TOPIC_CONFIG", "key", "T", "value", "a:2"), 0, "", "", "")
			route(479, `,"orderTopicConf":"a:2"`)
			set("orderMessageEnable=false")
			route(479, "")
			wantReply(t, c, deleteKV("namespace", "ORDER_TOPIC_CONFIG", "key", "T"), 0, "", "", "")
			wantReply(t, c, deleteKV("namespace", "ORDER_TOPIC_CONFIG", "key", "other"), 0, "", "", "")
			set("returnOrderTopicConfigToBroker=true")
			registered(`{"table":{}}`)
		})
	}
}

// TestNotReady asks for routes before and after the time that an operator may
// give brokers to register.
func TestNotReady(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		var sinceStart atomic.Int64
		c := start(t, func(c *namesrv.Config) { c.NeedWaitForService, c.RouteReadsOnLoop = true, onLoop }, func(s *namesrv.Server) {
			s.SetClock(func() time.Duration { return time.Duration(sinceStart.Load()) })
		}).dial(t)
		wantCode(t, c.Do(brokerA.Register()), 0, "")
		steps := []struct {
			since time.Duration
			set   string
			ready bool
		}{
			{0, "", false},
			{45*time.Second - 1, "", false},
			{45*time.Second - 1, "needWaitForService=false", true},
			{45*time.Second - 1, "needWaitForService=true", false},
			{45*time.Second - 1, "waitSecondsForService=44", true},
			{45*time.Second - 1, "waitSecondsForService=-1", true},
			{45*time.Second - 1, "waitSecondsForService=45", false},
			{45 * time.Second, "", true},
			{46 * time.Second, "", true},
		}
		for _, step := range steps {
			sinceStart.Store(int64(step.since))
			wantCode(t, c.Do(updateConfig(step.set)), 0, "")
			reply := c.Do(nstest.Route("T"))
			if step.ready {
				wantCode(t, reply, codec.RespSuccess, "")
			} else {
				wantCode(t, reply, codec.RespSystemError, "name server not ready")
			}
		}
	}
}
