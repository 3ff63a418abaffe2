package namesrv

import (
	"cmp"
	"net/netip"
	"sync"
	"time"
)

// What one address may try with signatures that are not right.
const (
	wrongAtOnce  = 10
	wrongEvery   = 6 * time.Second // after those, one more each
	maxLockedOut = 10_000          // addresses that are remembered; the first that came goes first
)

// A lockOuts remembers addresses that have sent wrong signatures, so that nobody can guess
// for long, nor make us compute for nothing. It locks no key: or a stranger could lock the
// operators out. Its memory is bounded. Safe from any goroutine.
type lockOuts struct {
	mu     sync.Mutex
	byAddr map[netip.Addr]lockOut // of a host, see lockedAs
	came   []netip.Addr           // the keys of byAddr, a ring once it is full
	oldest int                    // in came, once it is full
	every  time.Duration          // for tests; 0 is wrongEvery
}

func (l *lockOuts) interval() time.Duration { return cmp.Or(l.every, wrongEvery) }

// isOut reports whether all is used up that an address may try, by one half of its lockOut.
func (l *lockOuts) isOut(until, now time.Duration) bool {
	return until-now > (wrongAtOnce-1)*l.interval()
}

// A lockOut is when an address will have made up for its signatures: wrong ones of keys
// that there are, which lock it out, and ones of unknown keys, for which nothing is
// computed any more, and that is all. By the engine's clock.
type lockOut struct{ wrong, unknown time.Duration }

// lockedAs is what is remembered of an address: of IPv6, a host has a /64.
func lockedAs(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// of returns the half of a lockOut that is about a kind of keys.
func (l *lockOut) of(known bool) *time.Duration {
	if known {
		return &l.wrong
	}
	return &l.unknown
}

// isNeverLockedOut reports whether a peer is this machine itself, or, in a container, what
// brings others in: those cannot be told apart.
func isNeverLockedOut(p *peerPlace) bool {
	return !p.proxied && (p.addr == loopback4 || p.addr == loopback6)
}

// mayTry reports whether signatures of a peer are looked at.
func (l *lockOuts) mayTry(p *peerPlace, known bool, now time.Duration) bool {
	if isNeverLockedOut(p) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	is := l.byAddr[lockedAs(p.addr)]
	return !l.isOut(*is.of(known), now)
}

// failed takes note of a signature that was not right.
func (l *lockOuts) failed(p *peerPlace, known bool, now time.Duration) {
	if isNeverLockedOut(p) {
		return
	}
	a := lockedAs(p.addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	is, there := l.byAddr[a]
	if !there {
		l.add(a)
	}
	until := is.of(known)
	*until = max(*until, now) + l.interval()
	l.byAddr[a] = is
}

// add makes room for an address. Under mu.
func (l *lockOuts) add(a netip.Addr) {
	if l.byAddr == nil {
		l.byAddr = map[netip.Addr]lockOut{}
	}
	if len(l.came) < maxLockedOut {
		l.came = append(l.came, a)
		return
	}
	delete(l.byAddr, l.came[l.oldest])
	l.came[l.oldest] = a
	l.oldest = (l.oldest + 1) % maxLockedOut
}

// lockedOut returns how many addresses are locked out now.
func (l *lockOuts) lockedOut(now time.Duration) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, is := range l.byAddr {
		if l.isOut(is.wrong, now) {
			n++
		}
	}
	return n
}
