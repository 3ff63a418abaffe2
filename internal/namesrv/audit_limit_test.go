package namesrv

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestAuditLimit: whatever comes from however many hosts, so many lines a second are
// written, the others are counted, each once, and little is kept.
func TestAuditLimit(t *testing.T) {
	now := time.Hour
	l := newAuditLimit(func() time.Duration { return now })
	written, said := uint64(0), uint64(0)
	ask := func(addr string) bool {
		left, ok := l.allow(netip.MustParseAddr(addr))
		said += left
		if ok {
			written++
		}
		return ok
	}
	for i := range 3 * auditLinesPerHost {
		if ok := ask("203.0.113.1"); ok != (i < auditLinesPerHost) {
			t.Fatalf("line %d of a host is written: %v", i+1, ok)
		}
		if ok := ask(fmt.Sprintf("2001:db8::%x", i+1)); ok != (i < auditLinesPerHost) {
			t.Fatalf("line %d of a /64 is written: %v", i+1, ok)
		}
	}
	if !ask("203.0.113.2") {
		t.Error("another host pays for them")
	}
	now += time.Second
	if left, ok := l.allow(netip.MustParseAddr("203.0.113.1")); !ok || left != 2*auditLinesPerHost {
		t.Errorf("later: %v, %d were left out", ok, left)
	} else {
		written, said = written+1, said+left
	}
	asked := uint64(6*auditLinesPerHost + 2)
	for second := range 3 {
		now += time.Second
		before := written
		for i := range 4 * auditHosts {
			asked++
			ask(fmt.Sprintf("10.%d.%d.%d", second, i/250, 1+i%250))
		}
		if n := written - before; n != auditLinesPerSec {
			t.Errorf("%d lines of very many hosts in a second", n)
		}
	}
	if len(l.hosts) > auditHosts {
		t.Errorf("%d hosts are kept", len(l.hosts))
	}
	told := 0
	tell := func(_ netip.Addr, left uint64) { told++; said += left }
	now += time.Second
	l.sweep(false, tell)
	if len(l.hosts) != 0 || told > auditHosts+1 {
		t.Errorf("%d hosts are kept, %d are told of", len(l.hosts), told)
	}
	if written+said != asked || l.leftOut.Load() != said {
		t.Errorf("%d written, %d said to be left out, %d counted, of %d", written, said, l.leftOut.Load(), asked)
	}
}
