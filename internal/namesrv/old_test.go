package namesrv_test

import (
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// changingCodes are the codes that change something. All others that are served ask.
var changingCodes = map[codec.RequestCode]bool{
	codec.ReqPutKVConfig: true, codec.ReqDeleteKVConfig: true, codec.ReqRegisterBroker: true, codec.ReqUnregisterBroker: true,
	codec.ReqWipeWritePermOfBroker: true, codec.ReqDeleteTopicInNamesrv: true, codec.ReqRegisterTopicInNamesrv: true,
	codec.ReqUpdateNamesrvConfig: true, codec.ReqAddWritePermOfBroker: true, codec.ReqBrokerHeartbeat: true,
}

// TestOldQuestions lets requests of every code wait for a worker, for a moment and for
// longer than anybody waits for an answer. Then the questions are refused, each counted
// for its reason; what changes something is carried out in both cases, and what is
// answered on the event loop has not waited.
func TestOldQuestions(t *testing.T) {
	for name, waited := range map[string]time.Duration{"young": -time.Hour, "old": time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *namesrv.Config) { c.RouteReadsOnLoop = false }, func(s *namesrv.Server) { s.ShiftClock(waited) })
			c := s.dial(t)
			for _, st := range s.Snapshot().Requests {
				if st.Code == 0 {
					continue
				}
				old := waited > 0 && !changingCodes[st.Code] && st.Class != "event loop"
				reply := c.Do(nstest.Request(st.Code))
				busy := codec.ResponseCode(reply.Code) == codec.RespSystemBusy
				if old {
					wantCode(t, reply, codec.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")
				}
				if n := refusedOf(s, st.Code)["tooOld"]; busy != old || n > 0 != old {
					t.Errorf("%s, %v, is answered %v %q, %d times as too old; want too old: %v", st.Name, st.Class, codec.ResponseCode(reply.Code), reply.Remark, n, old)
				}
			}
			wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
			if waited > 0 {
				wantCode(t, c.Do(nstest.Route("T")), codec.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")
			} else {
				wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
			}
		})
	}
}

// TestAgeOfQuestions: 3 s are not too old.
func TestAgeOfQuestions(t *testing.T) {
	s := start(t, nil, func(s *namesrv.Server) { s.SetClock(func() time.Duration { return time.Hour }) })
	for waited, want := range map[time.Duration]bool{-time.Second: false, 0: false, 3 * time.Second: false, 3*time.Second + 1: true, time.Minute: true} {
		if got := s.IsOld(time.Hour - waited); got != want {
			t.Errorf("after %v too old: %v, want %v", waited, got, want)
		}
	}
}
