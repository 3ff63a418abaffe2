package namesrv_test

import (
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestLeftBehind: of what waits when its sender has hung up, changes are made, in
// their order and before the end of the connection; questions are not asked, and what
// cannot be read does no harm.
func TestLeftBehind(t *testing.T) {
	s, log := startLogging(t, nil)
	c := s.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	other := brokerA
	other.Name, other.Addr = "left", "10.9.9.9:10911"
	gone := nstest.Request(codec.ReqUnregisterBroker)
	conn := s.BrokerConn()
	before := s.Snapshot()
	for _, r := range []*codec.Command{
		other.Register(),
		nstest.Route("T"),
		nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", "v"),
		gone, // without fields
		nstest.Request(codec.ReqGetAllTopicListFromNameserver),
		brokerA.Unregister(),
	} {
		s.Left(conn, c.Frame(r))
	}
	s.Left(conn, []byte{0, 0, 0, 4, 0, 0, 0, 99})
	nstest.Eventually(t, "the last change is made", func() bool { return log.has("broker unregistered") })
	nstest.Eventually(t, "it is counted, which comes after its line", func() bool {
		return requestsOf(s.Snapshot(), codec.ReqUnregisterBroker)-requestsOf(before, codec.ReqUnregisterBroker) >= 2
	})
	if !log.has("broker=left") || !log.has("PUT_KV_CONFIG") {
		t.Errorf("the log is\n%s", log)
	}
	after := s.Snapshot()
	for _, code := range []codec.RequestCode{codec.ReqGetRouteInfoByTopic, codec.ReqGetAllTopicListFromNameserver} {
		if n := requestsOf(after, code) - requestsOf(before, code); n != 0 {
			t.Errorf("%v is asked %d times", code, n)
		}
	}
	if n := requestsOf(after, codec.ReqUnregisterBroker) - requestsOf(before, codec.ReqUnregisterBroker); n != 2 {
		t.Errorf("%d unregistrations", n)
	}
}

func requestsOf(snap namesrv.Snapshot, code codec.RequestCode) uint64 {
	for _, r := range snap.Requests {
		if r.Code == code {
			return r.Requests
		}
	}
	return 0
}
