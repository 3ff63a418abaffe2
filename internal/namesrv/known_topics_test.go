package namesrv_test

import (
	"fmt"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestTopicsChangeWhileDecoding: what an operator changes while a body is being
// decoded beside what was known costs another decoding, and no reply. The body
// counts, in full: the topic is there again.
func TestTopicsChangeWhileDecoding(t *testing.T) {
	decoded, change := 0, func() {}
	s := start(t, nil, func(s *namesrv.Server) {
		s.OnBodyDecoded(func() {
			decoded++
			change()
		})
	})
	b := brokerA
	b.Topics = nil
	for i := range 100 {
		b.Topics = append(b.Topics, fmt.Sprintf("topic-%d", i))
	}
	broker, operator := s.dial(t), s.dial(t)
	register := func(decodings int) {
		t.Helper()
		decoded = 0
		b.Counter++
		wantCode(t, broker.Do(b.Register()), codec.RespSuccess, "")
		if decoded != decodings {
			t.Errorf("registration %d: decoded %d times, want %d", b.Counter, decoded, decodings)
		}
		wantCode(t, broker.Do(nstest.Route("topic-7")), codec.RespSuccess, "")
	}
	register(1)
	register(1) // from now on everything is known
	change = func() {
		wantCode(t, operator.Do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "topic-7")), codec.RespSuccess, "")
	}
	register(2) // beside what is no longer so, and then beside nothing, whatever happens meanwhile
	change = func() {}
	register(1)
}
