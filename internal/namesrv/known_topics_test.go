package namesrv_test

import (
	"fmt"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// TestTopicsChangeWhileDecoding: what an operator changes while a body is being
// decoded beside what was known costs another decoding, and no reply.
// Not every run comes upon the moment: it lasts some tens of microseconds.
func TestTopicsChangeWhileDecoding(t *testing.T) {
	s := start(t, nil)
	b := brokerA
	b.Topics = nil
	for i := range 3000 {
		b.Topics = append(b.Topics, fmt.Sprintf("topic-%d", i))
	}
	broker, operator := s.dial(t), s.dial(t)
	register := func() {
		t.Helper()
		b.Counter++
		wantCode(t, broker.Do(b.Register()), codec.RespSuccess, "")
	}
	for i := range 100 {
		register() // from now on everything is known
		done := make(chan bool)
		go func() {
			defer close(done)
			for range i % 40 { // to be there sooner or later
				operator.Do(nstest.Route("topic-8"))
			}
			operator.Do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "topic-7"))
		}()
		register()
		<-done
	}
	register()
	wantCode(t, broker.Do(nstest.Route("topic-7")), codec.RespSuccess, "")
}
