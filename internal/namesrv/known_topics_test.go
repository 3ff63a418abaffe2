package namesrv_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestTopicsChangeWhileDecoding: what an operator changes while a body is being
// decoded beside what was known costs another decoding, and no reply. The body
// counts, in full: the topic is there again.
func TestTopicsChangeWhileDecoding(t *testing.T) {
	var decoded atomic.Int64
	var change atomic.Pointer[func()] // nil does nothing
	s := start(t, nil, func(s *namesrv.Server) {
		s.OnBodyDecoded(func() {
			decoded.Add(1)
			if f := change.Load(); f != nil {
				(*f)()
			}
		})
	})
	b := brokerA
	b.Topics = nil
	for i := range 100 {
		b.Topics = append(b.Topics, fmt.Sprintf("topic-%d", i))
	}
	broker := s.dial(t)
	register := func(decodings int64) {
		t.Helper()
		decoded.Store(0)
		b.Counter++
		wantCode(t, broker.Do(b.Register()), codec.RespSuccess, "")
		if n := decoded.Load(); n != decodings {
			t.Errorf("registration %d: decoded %d times, want %d", b.Counter, n, decodings)
		}
		wantCode(t, broker.Do(nstest.Route("topic-7")), codec.RespSuccess, "")
	}
	register(1)
	register(1) // from now on everything is known
	deletes := func() { s.Table().DeleteTopic("topic-7") }
	change.Store(&deletes)
	register(2) // beside what is no longer so, and then beside nothing, whatever happens meanwhile
	change.Store(nil)
	register(1)
}
