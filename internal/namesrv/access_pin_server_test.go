package namesrv_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

const pinRules = `
networks:
  - { name: here,  cidr: [10.1.0.0/24, 10.2.0.0/24], rights: broker-control }
  - { name: there, cidr: 10.3.0.0/24, rights: broker-control }
accounts:
  - { accessKey: brokers, secretKey: canary-brokers, rights: broker-control }
  - { accessKey: others,  secretKey: canary-others,  rights: broker-control }
`

// moved returns a broker with another address or ID.
func moved(addr string, id int64) nstest.Broker {
	b := brokerA
	b.Addr, b.ID = addr, id
	return b
}

// TestPins registers a broker and then one in its place: whoever is somebody else is
// refused, or counted where that is only monitored; then the place changes hands.
func TestPins(t *testing.T) {
	other := moved("10.9.9.9:10911", brokerA.ID)
	otherName := moved(brokerA.Addr, brokerA.ID)
	otherName.Name = "b"
	for name, tc := range map[string]struct {
		first, second string // where from; with a key behind a blank
		broker        nstest.Broker
		taken         bool // the second one is somebody else
	}{
		"the same address":          {"10.5.0.1", "10.5.0.1", other, false},
		"near":                      {"10.5.0.1", "10.5.0.250", other, false},
		"another network":           {"10.5.0.1", "10.5.1.1", other, true},
		"the same address of a set": {"10.5.0.1", "10.5.1.1", brokerA, true},
		"the address, another name": {"10.5.0.1", "10.5.1.1", otherName, true},
		"another ID":                {"10.5.0.1", "10.5.1.1", moved("10.9.9.9:10911", 7), false},
		"another ID, the address":   {"10.5.0.1", "10.5.1.1", moved(brokerA.Addr, 7), true},
		"one network of the file":   {"10.1.0.1", "10.2.0.1", other, false},
		"another one of the file":   {"10.1.0.1", "10.3.0.1", other, true},
		"this machine":              {"", "", other, false},
		"not this machine":          {"", "10.5.0.1", other, true},
		"IPv6, near":                {"2001:db8::1", "2001:db8::ffff:1", other, false},
		"IPv6, another network":     {"2001:db8::1", "2001:db8:0:1::1", other, true},
		"the account":               {"203.0.113.1 brokers", "198.51.100.1 brokers", other, false},
		"another account":           {"203.0.113.1 brokers", "198.51.100.1 others", other, true},
	} {
		for _, pin := range []string{"enforce", "monitor", "", "off"} {
			t.Run(name+" "+pin, func(t *testing.T) {
				rules := pinRules
				if pin != "" {
					rules += "brokerJoin: { pin: " + pin + " }\n"
				}
				preset := "standard"
				if strings.Contains(tc.first, " ") {
					preset = "strict"
				}
				_, change := withAccess(t, preset, rules)
				s := start(t, change)
				register := func(from string, b nstest.Broker) *codec.Command {
					from, key, _ := strings.Cut(from, " ")
					c := s.dial(t)
					if from != "" {
						c = s.dialFrom(t, from)
					}
					r := b.Register()
					if key != "" {
						r = nstest.Sign(r, key, "canary-"+key)
					}
					return c.Do(r)
				}
				wantCode(t, register(tc.first, brokerA), codec.RespSuccess, "")
				reply := register(tc.second, tc.broker)
				st := s.Snapshot().Access
				switch {
				case tc.taken && pin == "enforce":
					from, _, _ := strings.Cut(tc.second, " ")
					wantCode(t, reply, codec.RespNoPermission, "No permission: broker-control from "+from+" ("+preset+"); the broker is registered from another address and is heard, see brokerJoin in the accessFile of the name server")
					if n := refusedOf(s, codec.ReqRegisterBroker)["pinned"]; n != 1 || sumOf(st.Refused) != 1 || sumOf(st.WouldRefuse) != 0 {
						t.Errorf("%d refused, %+v", n, st)
					}
				default:
					wantCode(t, reply, codec.RespSuccess, "")
					if counted := sumOf(st.WouldRefuse) == 1; counted != (tc.taken && pin != "off") || sumOf(st.Refused) != 0 {
						t.Errorf("counted are %+v", st)
					}
					wantCode(t, register(tc.second, tc.broker), codec.RespSuccess, "")
					if got := s.Snapshot().Access; sumOf(got.WouldRefuse) != sumOf(st.WouldRefuse) {
						t.Errorf("who has taken the place is counted again: %+v", got)
					}
				}
			})
		}
	}
}

// TestPinEnds: a place is free when its broker has gone, when its connection has, or when
// it is silent for half of its timeout.
func TestPinEnds(t *testing.T) {
	for _, how := range []string{"closed", "closed by us", "silent", "goodbye"} {
		_, change := withAccess(t, "standard", pinRules+"brokerJoin: { pin: enforce }\n")
		var now atomic.Int64
		s := start(t, change, func(s *namesrv.Server) { s.SetClock(func() time.Duration { return time.Duration(now.Load()) }) })
		first := s.dialFrom(t, "10.5.0.1")
		wantCode(t, first.Do(brokerA.Register()), codec.RespSuccess, "")
		second := s.dialFrom(t, "10.6.0.1")
		register := func() codec.ResponseCode { return codec.ResponseCode(second.Do(brokerA.Register()).Code) }
		if got := register(); got != codec.RespNoPermission {
			t.Fatalf("%s: while it is there, it is answered %v", how, got)
		}
		switch how {
		case "closed":
			first.Close()
			nstest.Eventually(t, "it may take the place", func() bool { return register() == codec.RespSuccess })
		case "closed by us": // the broker stays, and is heard no more
			first.Write([]byte{0, 0, 0, 8, 0, 0, 0, 4, 'n', 'o', 'n', 'e'})
			first.MustClose()
			live := func() *route.LiveInfo {
				l, ok := s.Table().View().Live([]byte(brokerA.Cluster), []byte(brokerA.Addr))
				if !ok {
					t.Fatal("the broker has gone")
				}
				return l
			}
			nstest.Eventually(t, "the connection is forgotten", func() bool { return live().Conn == 0 })
			if got := register(); got != codec.RespSuccess {
				t.Errorf("its connection has gone: %v", got)
			}
		case "silent":
			now.Add(int64(60*time.Second - time.Millisecond))
			if got := register(); got != codec.RespNoPermission {
				t.Errorf("it is silent for less: %v", got)
			}
			now.Add(int64(2 * time.Millisecond))
			if got := register(); got != codec.RespSuccess {
				t.Errorf("it is silent for half of its timeout: %v", got)
			}
			if got := codec.ResponseCode(first.Do(brokerA.Register()).Code); got != codec.RespNoPermission {
				t.Errorf("it comes back: %v", got)
			}
		case "goodbye":
			wantCode(t, first.Do(brokerA.Unregister()), codec.RespSuccess, "")
			if got := register(); got != codec.RespSuccess {
				t.Errorf("it has gone: %v", got)
			}
		}
	}
}
