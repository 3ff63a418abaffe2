package namesrv

import (
	"net/netip"
	"testing"
)

// TestCrowdOf: more than half of the connections, and not too few.
func TestCrowdOf(t *testing.T) {
	at := func(addrs ...string) (all []peerPlace) {
		for _, a := range addrs {
			p := peerPlace{}
			if a != "" {
				p.addr = netip.MustParseAddr(a)
			}
			all = append(all, p)
		}
		return all
	}
	times := func(n int, addr string) (all []string) {
		for range n {
			all = append(all, addr)
		}
		return all
	}
	mixed := func(one string, n int, others ...string) (all []string) {
		for i := range n {
			all = append(all, one)
			if i < len(others) {
				all = append(all, others[i])
			}
		}
		return append(all, others[min(n, len(others)):]...)
	}
	spread := []string{}
	for a := netip.MustParseAddr("10.1.0.1"); len(spread) < 30; a = a.Next() {
		spread = append(spread, a.String())
	}
	for name, tc := range map[string]struct {
		places []peerPlace
		want   int
	}{
		"nobody":            {nil, 0},
		"all":               {at(times(20, "10.0.0.1")...), 20},
		"too few":           {at(times(19, "10.0.0.1")...), 0},
		"half":              {at(mixed("10.0.0.1", 30, spread...)...), 0},
		"more than half":    {at(mixed("10.0.0.1", 31, spread...)...), 31},
		"the last":          {at(append(spread, times(31, "10.0.0.1")...)...), 31},
		"nobody knows whom": {at(times(40, "")...), 0},
		"spread":            {at(spread...), 0},
	} {
		if addr, n := crowdOf(tc.places); n != tc.want || n > 0 && addr.String() != "10.0.0.1" {
			t.Errorf("%s: %v, %d", name, addr, n)
		}
	}
}
