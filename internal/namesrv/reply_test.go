package namesrv_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// TestReplyTooLong answers requests of every class with the longest frame that
// clients read, and with one that is a byte longer, which becomes an error.
func TestReplyTooLong(t *testing.T) {
	for _, st := range []codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ} {
		if raceEnabled && st != codec.SerializeJSON {
			continue // the goroutines are the same
		}
		empty := len(codec.AppendReply(nil, st, &codec.Reply{Opaque: 1}))
		room := codec.MaxFrameLength - empty
		body := make([]byte, 2*codec.MaxFrameLength)
		var length atomic.Int64
		reply := func() codec.Reply { return codec.Reply{Body: body[:length.Load()]} }
		var lines atomic.Int64
		s := start(t, func(c *namesrv.Config) { c.SerializeType = st }, func(s *namesrv.Server) {
			s.InDefaultPool(codec.ReqGetAllTopicListFromNameserver, reply)
			s.InDefaultPool(codec.ReqGetBrokerClusterInfo, reply)
			s.InDefaultPool(codec.ReqGetTopicsByCluster, reply)
			s.AsDisk(codec.ReqGetNamesrvConfig, reply)
			s.AsChange(codec.ReqRegisterBroker, reply)
			s.InClientPool(codec.ReqGetKVConfig, reply)
			s.OnLoop(codec.ReqGetRouteInfoByTopic, reply)
			s.OnLog(func(line string) {
				if line == "reply not sent, too long" {
					lines.Add(1)
				}
			})
		})
		tooLong := int64(0)
		for code, hint := range map[codec.RequestCode]string{
			codec.ReqGetAllTopicListFromNameserver: "; GET_TOPICS_BY_CLUSTER (224) lists the topics of one cluster",
			codec.ReqGetBrokerClusterInfo:          "; GET_BROKER_MEMBER_GROUP (901) shows the brokers of one name",
			codec.ReqGetTopicsByCluster:            "",
			codec.ReqGetNamesrvConfig:              "",
			codec.ReqRegisterBroker:                "",
			codec.ReqGetKVConfig:                   "",
			codec.ReqGetRouteInfoByTopic:           "",
		} {
			c := s.dial(t) // the opaque of its first request is 1
			length.Store(int64(room))
			if got := c.Do(nstest.Request(code)); got.Code != 0 || len(got.Body) != room {
				t.Fatalf("%v, %v: code %d and %d bytes for the longest reply, want 0 and %d", st, code, got.Code, len(got.Body), room)
			}
			for _, more := range []int{1, codec.MaxFrameLength} {
				size := codec.MaxFrameLength + more
				if more > 1 {
					size = room + more // not even put together: the body by itself is too long
				}
				length.Store(int64(room + more))
				remark := fmt.Sprintf("reply of %d bytes exceeds 16777216, the longest frame that clients read%s", size, hint)
				wantCode(t, c.Do(nstest.Request(code)), codec.RespSystemError, remark)
				tooLong++
			}
		}
		if got := s.RepliesTooLong(); got != tooLong || lines.Load() == 0 {
			t.Errorf("%v: %d replies counted, %d lines logged, want %d and at least 1", st, got, lines.Load(), tooLong)
		}
	}
}

// TestTopicListTooLong lists more topics than a frame can hold, of two clusters,
// each of whose lists fits.
func TestTopicListTooLong(t *testing.T) {
	if raceEnabled {
		t.Skip("one request at a time")
	}
	s := start(t, func(c *namesrv.Config) { c.MaxTopics = 100_000 })
	for cluster := range 2 {
		var body codec.RegisterBrokerBody
		for i := range 20_000 {
			name := fmt.Appendf(nil, "%s-%d-%06d", strings.Repeat("t", 440), cluster, i)
			body.Topics = append(body.Topics, codec.TopicConfig{Name: name, Key: name, Perm: 6})
		}
		name := fmt.Sprint("b", cluster)
		_, err := s.Table().RegisterBroker(1<<62, &route.Registration{
			RegistrationHeader: route.RegistrationHeader{Cluster: fmt.Sprint("c", cluster), BrokerName: name, BrokerAddr: name + ":1"},
			Body:               &body,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c := s.dial(t)
	reply := c.Do(nstest.Request(codec.ReqGetAllTopicListFromNameserver))
	if reply.Code != 1 || !strings.Contains(string(reply.Remark), "224") {
		t.Errorf("all topics: code %d %s, %d bytes", reply.Code, reply.Remark, len(reply.Body))
	}
	for cluster := range 2 {
		reply := c.Do(nstest.Request(codec.ReqGetTopicsByCluster, "cluster", fmt.Sprint("c", cluster)))
		if reply.Code != 0 || len(reply.Body) < 20_000*440 {
			t.Errorf("cluster %d: code %d %s, %d bytes", cluster, reply.Code, reply.Remark, len(reply.Body))
		}
	}
}
