package namesrv_test

import (
	"fmt"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestMissDamping asks again and again for a topic that is not there. With enforce its
// answers come later, after those to what is asked behind it; codes and opaques stay.
// What does not count may be asked as often as one likes, and other connections do not
// notice.
func TestMissDamping(t *testing.T) {
	for _, mode := range []string{"off", "monitor", "enforce"} {
		for _, onLoop := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, routeReadsOnLoop=%v", mode, onLoop), func(t *testing.T) {
				s := start(t, func(c *namesrv.Config) { c.MissDamping, c.RouteReadsOnLoop = mode, onLoop })
				c, other := s.dial(t), s.dial(t)
				wantCode(t, other.Do(brokerA.Register()), codec.RespSuccess, "")
				// swapped asks for many topics that are not there, and then for one that
				// is, and reports whether that is answered before the last of the others.
				swapped := func(c *nstest.Client, topic string) bool {
					var all []byte
					asked := map[int32]codec.ResponseCode{}
					var misses, hit int32
					for range 25 {
						r := nstest.Route(topic)
						all = append(all, c.Frame(r)...)
						asked[r.Opaque], misses = codec.RespTopicNotExist, r.Opaque
					}
					r := nstest.Route("T")
					all = append(all, c.Frame(r)...)
					asked[r.Opaque], hit = codec.RespSuccess, r.Opaque
					c.Write(all)
					var order []int32
					for len(asked) > 0 {
						reply := c.Read()
						if want, ok := asked[reply.Opaque]; !ok || codec.ResponseCode(reply.Code) != want {
							t.Fatalf("%d is answered %v, want %v, once", reply.Opaque, codec.ResponseCode(reply.Code), want)
						}
						delete(asked, reply.Opaque)
						order = append(order, reply.Opaque)
					}
					return order[len(order)-1] == misses && misses != hit
				}
				for _, topic := range []string{"TBW102", "%RETRY%g", "%DLQ%g", "rmq_sys_SYNC_BROKER_MEMBER_a"} {
					if swapped(c, topic) {
						t.Errorf("the answers for %s are delayed", topic)
					}
				}
				if n := s.Snapshot().Misses.Askers; n != 0 {
					t.Errorf("%d connections are counted, want none", n)
				}
				if mode == "enforce" {
					nstest.Eventually(t, "the answers are delayed", func() bool { return swapped(c, "missing") })
				} else if swapped(c, "missing") {
					t.Error("the answers are delayed")
				}
				if mode == "monitor" {
					nstest.Eventually(t, "they are counted", func() bool {
						swapped(c, "missing")
						return s.Snapshot().Misses.Monitored > 0
					})
				}
				st := s.Snapshot().Misses
				if (mode == "enforce") != (st.Delayed > 0) || (mode == "monitor") != (st.Monitored > 0) || (mode != "off") != (st.Askers == 1) || st.NotDelayed != 0 {
					t.Errorf("counted: %+v", st)
				}
				if got := codec.ResponseCode(other.Do(nstest.Route("missing")).Code); got != codec.RespTopicNotExist {
					t.Errorf("another connection is answered %v", got)
				}
				c.Close()
				other.Close()
				nstest.Eventually(t, "the connections are forgotten", func() bool { return s.Snapshot().Misses.Askers == 0 })
			})
		}
	}
}

// TestMissDampingOneway: what wants no answer gets none, and what comes behind it does
// not wait.
func TestMissDampingOneway(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.MissDamping = "enforce" })
	c := s.dial(t)
	var all []byte
	for range 100 {
		r := nstest.Route("missing")
		r.Flag = codec.FlagOneway
		all = append(all, c.Frame(r)...)
	}
	c.Write(all)
	wantCode(t, c.Do(beat()), codec.RespSuccess, "")
	if st := s.Snapshot().Misses; st.Delayed != 0 || st.Waiting != 0 {
		t.Errorf("counted: %+v", st)
	}
}

// TestMissDampingIsLive changes the mode while the server runs. A client that asks one
// question after the other gets each answer.
func TestMissDampingIsLive(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.MissDamping = "off" })
	c := s.dial(t)
	if err := s.UpdateConfig("missDamping=enforce"); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, "answers are delayed", func() bool {
		r := nstest.Route("missing")
		c.Write(c.Frame(r))
		if got := c.Read(); got.Opaque != r.Opaque || codec.ResponseCode(got.Code) != codec.RespTopicNotExist {
			t.Fatalf("answered %v", got)
		}
		return s.Snapshot().Misses.Delayed > 0
	})
}
