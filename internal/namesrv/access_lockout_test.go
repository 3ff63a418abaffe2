package namesrv

import (
	"net/netip"
	"testing"
	"time"
)

func placeAt(addr string) *peerPlace { return &peerPlace{addr: netip.MustParseAddr(addr)} }

// TestLockOuts: ten at once, and then one each six seconds; per address, of IPv6 per /64.
func TestLockOuts(t *testing.T) {
	var l lockOuts
	now := 100 * time.Second
	try := func(p *peerPlace) bool {
		may := l.mayTry(p, true, now)
		if may {
			l.failed(p, true, now)
		}
		return may
	}
	a, b := placeAt("2001:db8::1"), placeAt("2001:db8::ffff:1")
	for i := range 10 {
		if p := []*peerPlace{a, b}[i%2]; !try(p) {
			t.Fatalf("try %d", i)
		}
	}
	if try(a) || try(b) || !try(placeAt("2001:db8:0:1::1")) || !try(placeAt("10.0.0.1")) || l.lockedOut(now) != 1 {
		t.Error("another address is locked out, or the same is not")
	}
	if now += wrongEvery - 1; try(a) {
		t.Error("before its time")
	}
	if now++; !try(a) || try(b) {
		t.Error("one more, after six seconds")
	}
	if now += time.Hour; l.lockedOut(now) != 0 {
		t.Error("somebody is still locked out")
	}
	for i := range 10 {
		if !try(b) {
			t.Errorf("try %d of an hour later", i)
		}
	}
	if try(a) {
		t.Error("more than ten after an hour")
	}
	for _, known := range []bool{true, false} {
		l, p := lockOuts{}, placeAt("10.0.0.9")
		for range 20 {
			l.failed(p, known, now)
		}
		if l.mayTry(p, known, now) || !l.mayTry(p, !known, now) {
			t.Errorf("known keys %v: the other ones count too", known)
		}
	}
}

// TestLoopbackIsNeverLockedOut, unless a balancer only says that it is that.
func TestLoopbackIsNeverLockedOut(t *testing.T) {
	var l lockOuts
	for range 100 {
		for _, addr := range []string{"127.0.0.1", "::1"} {
			l.failed(placeAt(addr), true, 0)
			if !l.mayTry(placeAt(addr), true, 0) {
				t.Fatalf("%s is locked out", addr)
			}
		}
		l.failed(&peerPlace{addr: loopback4, proxied: true}, true, 0)
		l.failed(&peerPlace{}, true, 0)
	}
	if l.mayTry(&peerPlace{addr: loopback4, proxied: true}, true, 0) || l.mayTry(&peerPlace{}, true, 0) {
		t.Error("who says so is not locked out, or who has no address")
	}
}

// TestLockOutsAreBounded: the first that came goes first.
func TestLockOutsAreBounded(t *testing.T) {
	var l lockOuts
	addr := netip.MustParseAddr("10.0.0.0")
	for range 3 * maxLockedOut {
		addr = addr.Next()
		for range 10 {
			l.failed(&peerPlace{addr: addr}, true, 0)
		}
	}
	if len(l.byAddr) != maxLockedOut || len(l.came) != maxLockedOut || cap(l.came) > 2*maxLockedOut || l.lockedOut(0) != maxLockedOut {
		t.Errorf("%d addresses, %d in the ring", len(l.byAddr), len(l.came))
	}
	for range maxLockedOut {
		if l.mayTry(&peerPlace{addr: addr}, true, 0) {
			t.Fatalf("%v is forgotten", addr)
		}
		addr = addr.Prev()
	}
	if !l.mayTry(&peerPlace{addr: addr}, true, 0) {
		t.Error("the older ones are remembered")
	}
}
