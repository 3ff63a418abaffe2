package admin

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestAttentionOfChecks: what a check of the probes fails for, or remarks, is in the list
// of what somebody should look at, by the same rule.
func TestAttentionOfChecks(t *testing.T) {
	for _, c := range []struct {
		what string
		h    namesrv.Health
		want []string
	}{
		{"all is well", namesrv.Health{State: namesrv.StateServing}, nil},
		{"it hangs", namesrv.Health{LoopSilence: time.Minute, ScanSilence: time.Minute}, []string{
			"critical loops.silent the server hangs: an event loop has not run for 60 s",
			"critical scan.silent silent brokers are not removed: nobody has looked for silent brokers for 60 s",
		}},
		{"it waits", namesrv.Health{Gate: time.Minute, MinBrokers: 2, MaxWait: time.Minute}, []string{
			"critical routes.gated no routes are given yet, needWaitForService waits for brokers: 60 s left",
			"critical brokers.few readyMinBrokers waits for brokers: 0 of 2 have registered, waiting for 60 s more at most",
		}},
		{"it is empty", namesrv.Health{State: namesrv.StateServing, Uptime: time.Hour, MinBrokers: 2, MaxWait: time.Minute}, []string{
			"warning brokers.few readyMinBrokers waits for brokers: 0 of 2 have registered, nobody waits for them any more",
			"critical brokers.none the tables are empty: no broker has registered",
		}},
		{"it is full", namesrv.Health{BudgetUsed: 90, BudgetLimit: 100, Connections: 90, MaxConnections: 100}, []string{
			"warning memory.budget memoryBudget is short: 90 % of the memory budget is in use",
			"warning connections.limit connections are short: 90 % of the connections that may be are open",
		}},
		{"files", namesrv.Health{KVSaveFailed: true, CertificateEnd: time.Now().Add(50 * time.Hour)}, []string{
			"warning kvConfig.failed the KV config is not saved: the last change of the KV config could not be written",
			"warning certificate.expires the certificate of the server: ends in 2 days",
		}},
	} {
		if got := attended(func(add attend) { attendChecks(add, &c.h) }); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	for name := range remarked {
		if !slices.ContainsFunc(checks, func(c check) bool { return c.name == name }) {
			t.Errorf("there is no check %s", name)
		}
	}
}

// TestAttentionOfPeers: one that differs and one that is not reached are told of; one that
// was not asked yet is not.
func TestAttentionOfPeers(t *testing.T) {
	peers := []namesrv.PeerStats{{Addr: "new:1"}, {Addr: "same:1", Up: true, Checks: 1}, {Addr: "gone:1", Checks: 2, Failed: 1}}
	peers = append(peers, namesrv.PeerStats{Addr: "other:1", Up: true, Checks: 1, Topics: namesrv.PeerPart{Compared: true, Differ: 3}})
	want := []string{
		"warning peers.differ 1 of 4 name servers do not know the same: other:1",
		"warning peers.unreachable 1 of 4 name servers cannot be reached: gone:1",
	}
	if got := attended(func(add attend) { attendPeers(add, peers) }); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := attended(func(add attend) { attendPeers(add, peers[:2]) }); got != nil {
		t.Errorf("%q of peers that agree", got)
	}
}

// attended returns the entries that are added.
func attended(by func(attend)) (entries []string) {
	by(func(severity, code, link, format string, args ...any) {
		entries = append(entries, severity+" "+code+" "+fmt.Sprintf(format, args...))
	})
	return entries
}

// TestStatusIsThatOfReadyz: the state and its reasons are those of the checks of /readyz.
func TestStatusIsThatOfReadyz(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.ReadyMinBrokers, c.ReadyMaxWait = 1, time.Hour })
	var st statusAnswer
	f.want(200, "/v1/status", &st)
	if st.State != "notReady" || !slices.Equal(st.Reasons, []string{"brokers"}) || len(st.Attention) != 1 || st.Attention[0].Code != "brokers.few" {
		t.Errorf("before a broker has come: %s %q %+v", st.State, st.Reasons, st.Attention)
	}
	f.register(nstest.Broker{Cluster: "c", Name: "a", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"T", "U"}})
	f.want(200, "/v1/status", &st)
	if st.State != "ready" || len(st.Reasons) != 0 || len(st.Attention) != 0 {
		t.Errorf("afterwards: %s %q %+v", st.State, st.Reasons, st.Attention)
	}
}

// TestPeerTotals: a name server that was not asked yet is none that cannot be reached.
func TestPeerTotals(t *testing.T) {
	got := *peerTotals([]namesrv.PeerStats{{}, {Checks: 1}, {Checks: 2, Up: true}, {Checks: 1, Up: true, Brokers: namesrv.PeerPart{Compared: true, Differ: 3}}})
	if want := (peersAnswer{Configured: 4, Differ: 1, Unreachable: 1, NotAsked: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
