package bench

import (
	"strings"
	"testing"

	"gonamesrv/codec"
)

// TestPresence: a reply is judged by what was so when it was asked for and is
// so still; while a broker comes or goes both answers are right.
func TestPresence(t *testing.T) {
	const before, change, later = 10, 20, 30
	for _, tt := range []struct {
		name  string
		state int32
		since int64 // of the request
		named bool
		want  string // of the verdict; "" is right
	}{
		{"there, named", brokerThere, later, true, ""},
		{"there, not named", brokerThere, later, false, "does not name"},
		{"asked before it came, named", brokerThere, before, true, ""},
		{"asked before it came, not named", brokerThere, before, false, ""},
		{"on its way, named", brokerMoving, later, true, ""},
		{"on its way, not named", brokerMoving, later, false, ""},
		{"gone, named", brokerGone, later, true, "is gone"},
		{"gone, not named", brokerGone, later, false, ""},
		{"asked before it went, named", brokerGone, before, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := smallFleet(Params{Brokers: 2, Topics: 1, BrokersPerTopic: 2})
			topic, b := f.topics[0], f.topics[0].brokers[1]
			f.set(b, tt.state, change)
			frame := routeReply(topic, firstNumber)
			if !tt.named {
				topic.brokers = topic.brokers[:1]
				frame = routeReply(topic, firstNumber)
				topic.brokers = append(topic.brokers, b)
			}
			var c codec.Command
			if err := c.Decode(frame); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time its bytes may be known
				kind, wrong := topic.check(&c, tt.since, 0)
				if kind != "" || (wrong == "") != (tt.want == "") || !strings.Contains(wrong, tt.want) {
					t.Fatalf("verdict is %q %q, want %q", kind, wrong, tt.want)
				}
			}
			// A reply that was right before need not be right after a change.
			if tt.named && tt.want == "" {
				f.set(b, brokerGone, later+1)
				if _, wrong := topic.check(&c, later+2, 0); !strings.Contains(wrong, "is gone") {
					t.Errorf("after it has gone the verdict is %q", wrong)
				}
			}
			if !tt.named && tt.want == "" {
				f.set(b, brokerThere, later+1)
				if _, wrong := topic.check(&c, later+2, 0); !strings.Contains(wrong, "does not name") {
					t.Errorf("after it has come the verdict is %q", wrong)
				}
			}
		})
	}
}

// TestPresenceIsNotRemembered: a reply that was good enough for one who asked
// early is not for one who asks when all is settled.
func TestPresenceIsNotRemembered(t *testing.T) {
	for _, state := range []int32{brokerThere, brokerGone} {
		f := smallFleet(Params{Brokers: 2, Topics: 1, BrokersPerTopic: 2})
		topic, b := f.topics[0], f.topics[0].brokers[1]
		f.set(b, state, 20)
		if state == brokerThere {
			topic.brokers = topic.brokers[:1]
		}
		frame := routeReply(topic, firstNumber)
		topic.brokers = f.brokers
		var c codec.Command
		if err := c.Decode(frame); err != nil {
			t.Fatal(err)
		}
		if kind, wrong := topic.check(&c, 10, 0); kind+wrong != "" {
			t.Fatalf("asked early: %q %q", kind, wrong)
		}
		if _, wrong := topic.check(&c, 30, 0); wrong == "" {
			t.Errorf("state %d: asked late, and what is wrong is taken", state)
		}
	}
}

// TestNoTopic: TOPIC_NOT_EXIST is right when all brokers are gone, neither
// right nor wrong while they come or go, and wrong otherwise.
func TestNoTopic(t *testing.T) {
	for _, tt := range []struct {
		states     [2]int32
		kind, want string
	}{
		{[2]int32{brokerGone, brokerGone}, "", ""},
		{[2]int32{brokerGone, brokerMoving}, ErrorNotReady, ""},
		{[2]int32{brokerThere, brokerMoving}, "", "TOPIC_NOT_EXIST"},
	} {
		f := smallFleet(Params{Brokers: 2, Topics: 1, BrokersPerTopic: 2})
		for i, b := range f.topics[0].brokers {
			f.set(b, tt.states[i], 1)
		}
		c := codec.Command{Code: codec.RequestCode(codec.RespTopicNotExist)}
		if kind, wrong := f.topics[0].check(&c, 2, 0); kind != tt.kind || !strings.Contains(wrong, tt.want) || (wrong == "") != (tt.want == "") {
			t.Errorf("%v: verdict is %q %q", tt.states, kind, wrong)
		}
	}
}
