package namesrv_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
			s.SetUptime(func() time.Duration { return time.Duration(sinceStart.Load()) })
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

// TestOrderTopicsAreBounded fills the order configuration until it takes no more.
// What is refused has changed nothing, not even on disk.
func TestOrderTopicsAreBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kvConfig.json")
	s := startKV(t, file)
	c := s.dial(t)
	order := func(key string, bytes int) *codec.Command {
		return putKV("namespace", "ORDER_TOPIC_CONFIG", "key", key, "value", strings.Repeat("v", bytes))
	}
	const around = len(`{"table":{"1":"","2":""}}`)
	wantCode(t, c.Do(order("1", 1<<19)), 0, "")
	wantCode(t, c.Do(order("2", 1<<19-around)), 0, "")
	before := readFile(t, file)
	full := fmt.Sprintf("namespace ORDER_TOPIC_CONFIG would have %d bytes, more than 1048576", 1<<20+1)
	wantReply(t, c, order("2", 1<<19-around+1), codec.RespSystemError, "", full, "")
	if got := c.Do(brokerA.Register()); got.Code != 0 || len(got.Body) != 1<<20 {
		t.Errorf("registered: code %d and %d bytes, want 0 and %d", got.Code, len(got.Body), 1<<20)
	}
	if readFile(t, file) != before || refusedOf(s, codec.ReqPutKVConfig)["configLimit"] != 1 {
		t.Errorf("the file has changed, or %d refusals were counted", refusedOf(s, codec.ReqPutKVConfig)["configLimit"])
	}
	wantCode(t, c.Do(putKV("namespace", "other", "key", "2", "value", strings.Repeat("v", 2<<20))), 0, "")
	for _, name := range []string{"key", "namespace"} {
		fields := map[string]string{"namespace": "n", "key": "k"}
		fields[name] = strings.Repeat("n", 513)
		wantReply(t, c, putKV("namespace", fields["namespace"], "key", fields["key"], "value", "v"), codec.RespSystemError, "", "namespace or key has 513 bytes, more than 512", "")
		fields[name] = strings.Repeat("n", 512)
		wantCode(t, c.Do(putKV("namespace", fields["namespace"], "key", fields["key"], "value", "v")), 0, "")
	}
}

// TestOrderTopicsBeyondTheBound starts with a file that has more than is sent.
// It is kept, and said; brokers are told nothing until it is short enough again.
func TestOrderTopicsBeyondTheBound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kvConfig.json")
	big := strings.Repeat("v", 600<<10)
	text := fmt.Sprintf(`{"configTable":{"ORDER_TOPIC_CONFIG":{"1":%q,"2":%q}}}`, big, big)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, log := startLogging(t, func(c *namesrv.Config) { c.KVConfigPath, c.OrderMessageEnable = file, true })
	if !log.has("order configuration is too long, registrations are answered without it") {
		t.Errorf("it is not in the log: %s", log)
	}
	c := s.dial(t)
	wantReply(t, c, brokerA.Register(), 0, "{}", "", "")
	wantReply(t, c, getKV("namespace", "ORDER_TOPIC_CONFIG", "key", "1"), 0, `{"value":"`+big+`"}`, "", "")
	wantCode(t, c.Do(putKV("namespace", "ORDER_TOPIC_CONFIG", "key", "3", "value", "")), codec.RespSystemError,
		fmt.Sprintf("namespace ORDER_TOPIC_CONFIG would have %d bytes, more than 1048576", 2*(600<<10)+len(`{"table":{"1":"","2":"","3":""}}`)))
	wantCode(t, c.Do(putKV("namespace", "ORDER_TOPIC_CONFIG", "key", "2", "value", big[:500<<10])), 0, "") // shorter, but not short
	wantReply(t, c, brokerA.Register(), 0, "{}", "", "")
	wantCode(t, c.Do(deleteKV("namespace", "ORDER_TOPIC_CONFIG", "key", "1")), 0, "")
	wantReply(t, c, brokerA.Register(), 0, "{}", "", `{"table":{"2":"`+big[:500<<10]+`"}}`)
}
