package namesrv_test

import (
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestWhatIsLostIsSaid: what brokers have registered and others do not see is in
// the log.
func TestWhatIsLostIsSaid(t *testing.T) {
	const (
		noTopics  = `level=WARN msg="registration without topics, its version is that of another form of body" cluster=C broker=a brokerId=0 addr=10.0.0.1:10911 version=0 `
		displaced = `level=WARN msg="broker displaced, another registers with its name and ID" cluster=C broker=a brokerId=0 addr=10.0.0.1:10911 byCluster=C byAddr=10.0.0.9:10911`
		shared    = `level=WARN msg="broker name taken over, another cluster registers it" cluster=C broker=a brokerId=0 addr=10.0.0.1:10911 byCluster=D byAddr=10.0.0.2:10911`
		dropped   = `level=WARN msg="topics removed, the registration does not list them" cluster=C broker=a brokerId=0 addr=10.0.0.1:10911 topics=2 kept=`
		split     = `hint="looks like enableSplitRegistration=true`
	)
	with := func(b nstest.Broker, change func(*nstest.Broker)) nstest.Broker {
		b.Counter++
		change(&b)
		return b
	}
	topics := func(names ...string) func(*nstest.Broker) { return func(b *nstest.Broker) { b.Topics = names } }
	deleting := func(c *namesrv.Config) { c.DeleteTopicWithBrokerRegistration = true }
	for _, tc := range []struct {
		name     string
		change   func(*namesrv.Config)
		requests []*codec.Command
		want     []string // in the log
		wantNot  []string
	}{
		{
			"nothing", deleting,
			[]*codec.Command{brokerA.Register(), with(brokerA, topics("T", "U", "V")).Register(), slaveA.Register()},
			nil,
			[]string{"level=WARN"},
		},
		{"a registration without version", nil, []*codec.Command{ofVersion(0, brokerA.Register())}, []string{noTopics}, nil},
		{"an old one", nil, []*codec.Command{ofVersion(codec.V3_0_11, brokerA.Register())}, nil, []string{"level=WARN"}},
		{
			"another address", nil,
			[]*codec.Command{brokerA.Register(), with(brokerA, func(b *nstest.Broker) { b.Addr = "10.0.0.9:10911" }).Register()},
			[]string{displaced},
			[]string{"taken over"},
		},
		{
			"another cluster", nil,
			[]*codec.Command{brokerA.Register(), with(slaveA, func(b *nstest.Broker) { b.Cluster = "D" }).Register()},
			[]string{shared},
			[]string{"displaced"},
		},
		{
			"a topic that was deleted", deleting,
			[]*codec.Command{with(brokerA, topics("T", "U", "V")).Register(), with(with(brokerA, topics()), topics("V", "W")).Register()},
			[]string{dropped + "1"},
			[]string{split},
		},
		{
			"a registration in parts", deleting,
			[]*codec.Command{with(brokerA, topics("T", "U")).Register(), with(with(brokerA, topics()), topics("V", "W")).Register()},
			[]string{dropped + "0 " + split},
			nil,
		},
		{
			"the same without that key", nil,
			[]*codec.Command{with(brokerA, topics("T", "U")).Register(), with(with(brokerA, topics()), topics("V", "W")).Register()},
			nil,
			[]string{"level=WARN"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, log := startLogging(t, tc.change)
			c := s.dial(t)
			for _, r := range tc.requests {
				wantCode(t, c.Do(r), codec.RespSuccess, "")
			}
			for _, want := range tc.want {
				if n := strings.Count(log.String(), want); n != 1 {
					t.Errorf("%d lines, want 1, with %s in\n%s", n, want, log)
				}
			}
			for _, not := range tc.wantNot {
				if log.has(not) {
					t.Errorf("%q is in\n%s", not, log)
				}
			}
		})
	}
}
