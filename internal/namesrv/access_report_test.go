package namesrv

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gonamesrv/codec"
)

// TestAccessReport: refusals that are alike are one row; those of too many kinds are
// counted together, and all of them are counted.
func TestAccessReport(t *testing.T) {
	s := withRules(t, presetStandard, "")
	a := &s.rules.report
	r := &request{row: s.dispatch.of(codec.ReqWipeWritePermOfBroker)}
	other := &request{row: s.dispatch.of(codec.ReqUpdateNamesrvConfig)}
	id := func(addr, cert string, networks ...string) *identity {
		i := &identity{certificate: cert, networks: networks}
		if addr != "" {
			i.addr = netip.MustParseAddr(addr)
		}
		return i
	}
	now := time.Unix(1764288000, 0)
	for range 3 {
		a.add(r, id("203.0.113.7", ""), reasonNoRight, true, now)
		now = now.Add(time.Second)
		a.add(r, id("203.0.113.9", ""), reasonNoRight, true, now)
	}
	a.add(r, id("203.0.113.7", ""), reasonNoRight, false, now)
	a.add(r, id("203.0.114.7", ""), reasonNoRight, true, now)
	a.add(r, id("2001:db8::1", ""), reasonNoRight, true, now)
	a.add(r, id("2001:db8::2", ""), reasonNoRight, true, now)
	a.add(r, id("", ""), reasonNoRight, true, now)
	a.add(r, id("203.0.113.7", ""), reasonBadSignature, true, now)
	a.add(r, id("203.0.113.7", "ops"), reasonNoRight, true, now)
	a.add(r, id("203.0.113.7", "", "bastion", "more"), reasonNoRight, true, now)
	a.add(other, id("203.0.113.7", ""), reasonNoRight, true, now)
	all, beyond := s.AccessReport()
	got := ""
	for _, is := range all {
		got += fmt.Sprintln(is.Count, is.Monitored, is.Who, is.From, int(is.Code), is.Request, is.Right, is.Reason, is.Last.Sub(is.First))
	}
	want := `6 true public 203.0.113.0/24 205 WIPE_WRITE_PERM_OF_BROKER admin-write noRight 3s
2 true public 2001:db8::/64 205 WIPE_WRITE_PERM_OF_BROKER admin-write noRight 0s
1 true certificate:ops 203.0.113.0/24 205 WIPE_WRITE_PERM_OF_BROKER admin-write noRight 0s
1 true network:bastion network:more 203.0.113.0/24 205 WIPE_WRITE_PERM_OF_BROKER admin-write noRight 0s
1 true public invalid Prefix 205 WIPE_WRITE_PERM_OF_BROKER admin-write noRight 0s
1 true public 203.0.113.0/24 205 WIPE_WRITE_PERM_OF_BROKER admin-write badSignature 0s
1 false public 203.0.113.0/24 205 WIPE_WRITE_PERM_OF_BROKER admin-write noRight 0s
1 true public 203.0.113.0/24 318 UPDATE_NAMESRV_CONFIG config noRight 0s
1 true public 203.0.114.0/24 205 WIPE_WRITE_PERM_OF_BROKER admin-write noRight 0s
`
	if got != want || beyond != 0 {
		t.Errorf("%d beyond; it is\n%s\nwant\n%s", beyond, got, want)
	}
	const many = 3 * maxReported
	for i := range many { // a stranger with many addresses
		a.add(r, id(fmt.Sprintf("10.%d.%d.1", i/256, i%256), ""), reasonNoRight, true, now)
	}
	for i := range many { // who cannot be counted together
		a.add(r, id("10.0.0.1", fmt.Sprint("c", i)), reasonNoRight, true, now)
	}
	all, beyond = s.AccessReport()
	sum := beyond
	for _, is := range all {
		sum += is.Count
	}
	if len(all) != 2*maxReported || sum != 2*many+15 || beyond == 0 {
		t.Errorf("%d rows, %d beyond, %d in all", len(all), beyond, sum)
	}
}
