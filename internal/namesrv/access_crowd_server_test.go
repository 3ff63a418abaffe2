package namesrv_test

import (
	"fmt"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// TestCrowd: where most peers have one address, and it gives rights, the log says so.
func TestCrowd(t *testing.T) {
	const line = `msg="most connections are of one address`
	for _, tc := range []struct {
		preset, rules string
		spread, says  bool
	}{
		{preset: "standard", says: true},
		{preset: "standard", spread: true},
		{preset: "open"},
		{preset: "strict"}, // gives routes only
		{preset: "strict", rules: "networks: [{name: balancer, cidr: 10.0.0.5, rights: broker-control}]\n", says: true},
	} {
		if tc.rules == "" {
			tc.rules = "networks: []\n"
		}
		_, change := withAccess(t, tc.preset, tc.rules)
		s, log := startLogging(t, change)
		for i := range 20 {
			from := "10.0.0.5"
			if tc.spread {
				from = fmt.Sprintf("10.0.1.%d", i)
			}
			wantCode(t, s.dialFrom(t, from).Do(nstest.Request(999)), codec.RespRequestCodeNotSupported, " request type 999 not supported")
		}
		if said := s.SayCrowd(t.Context()); said != tc.says || log.has(line) != tc.says {
			t.Errorf("%+v: said %v, logged %v", tc, said, log.has(line))
		}
	}
}
