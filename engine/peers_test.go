package engine

import (
	"net/netip"
	"testing"
)

func TestSiteOf(t *testing.T) {
	for addr, want := range map[string]string{
		"10.1.2.3":                  "10.1.2.3/32",
		"::ffff:10.1.2.3":           "10.1.2.3/32",
		"2001:db8:1:2:3:4:5:6":      "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff:ffff::1": "2001:db8:1:2::/64",
		"2001:db8:1:3::1":           "2001:db8:1:3::/64",
		"fe80::1%eth0":              "fe80::/64",
	} {
		if got := siteOf(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("siteOf(%s) = %s, want %s", addr, got, want)
		}
	}
	siteOf(netip.Addr{}) // must not panic
}

func TestPeerCount(t *testing.T) {
	var off peerCount
	if !off.admit(1, netip.MustParseAddr("::1")) || off.of != nil {
		t.Error("without a limit something is counted")
	}
	off.remove(1)

	p := peerCount{limit: 2}
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for id, tt := range []struct {
		addr netip.Addr
		want bool
	}{{a, true}, {a, true}, {a, false}, {b, true}} {
		if got := p.admit(uint64(id), tt.addr); got != tt.want {
			t.Errorf("connection %d of %v admitted: %v, want %v", id, tt.addr, got, tt.want)
		}
	}
	p.remove(2) // was never in
	if p.admit(4, a) {
		t.Error("one that was refused has made room")
	}
	p.remove(0)
	p.remove(0) // twice counts once
	if !p.admit(5, a) || p.admit(6, a) {
		t.Error("one that left has not made room for exactly one")
	}
}
