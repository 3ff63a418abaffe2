package namesrv

import "sync"

// Which second signatures have been used: nobody may send one twice.

// What is remembered, and for how long.
const (
	freshMillis  = 60_000  // a signature may be so much older or newer than our time
	nonceMillis  = 60_000  // what one set spans, by the time of the signatures
	numNonceSets = 3       // sets that signatures of one time may be in: the window has two spans
	maxNonces    = 1 << 17 // of all accounts; an account has its share
)

// A nonce is what makes a signature unlike all others of its account.
type nonce [16]byte

// A nonces remembers the nonces of those signatures that time has not yet made worthless.
// They are in sets by the time that they say, so a whole set is forgotten at once. Its
// memory is bounded, and no account takes that of another: each has an equal share. Safe
// from any goroutine.
//
// What has been forgotten is never taken again, even if the wall clock is set back: since
// only grows. A process knows nothing of what the one before has taken, and takes nothing
// that is older than itself. What is dated later, by a clock that is ahead of ours, both
// may take.
type nonces struct {
	mu    sync.Mutex // guards the following
	since int64      // wall milliseconds: what says an earlier time is not taken
	sets  [numNonceSets]nonceSet
}

// A nonceSet is the nonces of one span of time.
type nonceSet struct {
	begin int64 // wall milliseconds, a multiple of nonceMillis
	of    map[string]map[nonce]struct{}
	size  int
}

// take takes note of the nonce of an account's signature. It is signedFresh, or what is
// wrong with it. at is the time of the signature and now that of the wall clock, in
// milliseconds; accounts is how many share the memory.
func (n *nonces) take(account string, id nonce, at, now int64, accounts int) signed {
	if at < now-freshMillis || at > now+freshMillis {
		return signedStale
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget(now)
	begin := at - at%nonceMillis
	set := &n.sets[begin/nonceMillis%numNonceSets]
	if at < n.since {
		return signedStale
	}
	if _, used := set.of[account][id]; used {
		return signedReplayed
	}
	all, ofAccount := 0, 0
	for i := range n.sets {
		all += n.sets[i].size
		ofAccount += len(n.sets[i].of[account])
	}
	if all >= maxNonces || ofAccount >= max(maxNonces/accounts, 1) {
		return signedTooMany
	}
	if set.of == nil { // else it may be a later one, if the clock was set back, and remembers for longer
		*set = nonceSet{begin: begin, of: map[string]map[nonce]struct{}{}}
	}
	if set.of[account] == nil {
		set.of[account] = map[nonce]struct{}{}
	}
	set.of[account][id] = struct{}{}
	set.size++
	return signedFresh
}

// forget forgets the sets whose signatures are all too old by now. Under mu.
func (n *nonces) forget(now int64) {
	for i := range n.sets {
		if set := &n.sets[i]; set.of != nil && set.begin+nonceMillis <= now-freshMillis {
			n.since = max(n.since, set.begin+nonceMillis)
			*set = nonceSet{}
		}
	}
}

// size returns how many are remembered.
func (n *nonces) size() (all int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.sets {
		all += n.sets[i].size
	}
	return all
}

// earliest returns the time before which no signature is taken, in wall milliseconds.
func (n *nonces) earliest() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.since
}
