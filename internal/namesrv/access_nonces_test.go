package namesrv

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

func nonceOf(i int) (n nonce) {
	binary.BigEndian.PutUint64(n[:], uint64(i))
	return n
}

// start is a time of the wall in milliseconds, in the middle of a span.
const start = 29_404_800*nonceMillis + 30_000

// TestNonceOnce: within the window a signature is taken once, outside not at all, however
// often it is sent and whenever; of another account it is another one.
func TestNonceOnce(t *testing.T) {
	for _, skew := range []int64{-freshMillis, -freshMillis + 1, -1, 0, 1, freshMillis - 1, freshMillis} {
		n := nonces{since: start - 2*freshMillis}
		at := start + skew
		if got := n.take("a", nonceOf(1), at, start, 1); got != signedFresh {
			t.Fatalf("%d ms: %v", skew, signedNames[got])
		}
		if got := n.take("b", nonceOf(1), at, start, 1); got != signedFresh {
			t.Errorf("%d ms, of another account: %v", skew, signedNames[got])
		}
		for now := int64(start); now < start+5*freshMillis; now += 500 {
			want := signedReplayed
			if at < now-freshMillis {
				want = signedStale
			}
			if got := n.take("a", nonceOf(1), at, now, 1); got != want {
				t.Fatalf("%d ms, again after %d: %v", skew, now-start, signedNames[got])
			}
		}
	}
	n := nonces{since: start - 2*freshMillis}
	for _, skew := range []int64{-freshMillis - 1, freshMillis + 1, -1 << 40, 1 << 40} {
		if got := n.take("a", nonceOf(2), start+skew, start, 1); got != signedStale {
			t.Errorf("%d ms: %v", skew, signedNames[got])
		}
	}
	if n.size() != 0 {
		t.Errorf("%d are remembered", n.size())
	}
}

// TestNoncesOfAnEarlierProcess are not taken: it may have taken them.
func TestNoncesOfAnEarlierProcess(t *testing.T) {
	n := nonces{since: start}
	if got := n.take("a", nonceOf(1), start-1, start+10, 1); got != signedStale {
		t.Errorf("from before the start: %v", signedNames[got])
	}
	if got := n.take("a", nonceOf(1), start, start+10, 1); got != signedFresh {
		t.Errorf("from after it: %v", signedNames[got])
	}
}

// TestNoPairTwice sends signatures of two accounts, again and again, while the clocks of
// both sides run, jump and are set back, and processes start anew: none is taken twice.
func TestNoPairTwice(t *testing.T) {
	type pair struct {
		account string
		id      nonce
	}
	type sent struct {
		pair
		at int64
	}
	rapid.Check(t, func(t *rapid.T) {
		now := int64(start)
		n := nonces{since: now}
		taken := map[pair]bool{}
		var all []sent
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1:
				now += rapid.Int64Range(0, 100_000).Draw(t, "later")
			case 2:
				now += rapid.Int64Range(-400_000, 400_000).Draw(t, "set")
			case 3:
				if rapid.IntRange(0, 9).Draw(t, "anew") == 0 {
					n = nonces{since: max(now+1, n.since)} // one that starts before the last one's time is beyond us
					for _, s := range all {
						if s.at > now { // and what is of a later time
							delete(taken, s.pair)
						}
					}
				}
			case 4, 5, 6:
				s := sent{pair{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "account"), nonceOf(len(all))}, now + rapid.Int64Range(-70_000, 70_000).Draw(t, "skew")}
				all = append(all, s)
				if n.take(s.account, s.id, s.at, now, 2) == signedFresh {
					taken[s.pair] = true
				}
			default:
				if len(all) == 0 {
					continue
				}
				s := all[rapid.IntRange(0, len(all)-1).Draw(t, "again")]
				if n.take(s.account, s.id, s.at, now, 2) == signedFresh {
					if taken[s.pair] {
						t.Fatalf("%+v is taken twice", s)
					}
					taken[s.pair] = true
				}
			}
		}
	})
}

// TestNoncesAreTaken: while the clock runs as it should, every signature of the window is
// taken, for hours.
func TestNoncesAreTaken(t *testing.T) {
	n := nonces{since: start - freshMillis}
	for i := range 20_000 {
		now := int64(start + i*700)
		if got := n.take("a", nonceOf(i), now+int64(i%121-60)*1000, now, 1); got != signedFresh {
			t.Fatalf("%d: %v", i, signedNames[got])
		}
		if n.size() > 3*nonceMillis/700+3 {
			t.Fatalf("%d are remembered", n.size())
		}
	}
}

// TestNoncesAreBounded: who floods uses up what is his, and takes nothing from others; two
// minutes later there is room again.
func TestNoncesAreBounded(t *testing.T) {
	const accounts = 4
	n := nonces{since: start - freshMillis}
	flood := func(account string, now int64) (took int) {
		for i := range 2 * maxNonces / accounts {
			switch n.take(account, nonceOf(i), now+int64(i%3-1)*50_000, now, accounts) {
			case signedFresh:
				took++
			case signedTooMany:
			default:
				t.Fatal("neither taken nor too many")
			}
		}
		return took
	}
	for _, account := range []string{"a", "b", "c"} {
		if got := flood(account, start); got != maxNonces/accounts {
			t.Errorf("%s: %d are taken", account, got)
		}
	}
	if got := n.take("d", nonceOf(1), start, start, accounts); got != signedFresh {
		t.Errorf("another account: %v", signedNames[got])
	}
	if got := n.take("e", nonceOf(1), start, start, maxNonces*10); got != signedFresh {
		t.Errorf("one of too many accounts: %v", signedNames[got])
	}
	for i := range 5 * maxNonces {
		n.take("f", nonceOf(i), start, start, 1) // rules with fewer accounts have come into force
	}
	if n.size() != maxNonces {
		t.Errorf("%d are remembered", n.size())
	}
	if got := flood("a", start+3*freshMillis+nonceMillis); got != maxNonces/accounts || n.size() != got {
		t.Errorf("later: %d are taken, %d remembered", got, n.size())
	}
}

// TestNoncesClockSetBack: what was forgotten because its time had passed is not taken when
// that time comes again; what is newer is, once.
func TestNoncesClockSetBack(t *testing.T) {
	n := nonces{since: start - freshMillis}
	take := func(i int, at, now int64) signed { return n.take("a", nonceOf(i), at, now, 1) }
	const later = start + 10*freshMillis
	for i, at := range []int64{start, later} { // the second one forgets the first
		if got := take(i, at, at); got != signedFresh {
			t.Fatalf("%d: %v", i, signedNames[got])
		}
	}
	if got := take(0, start, start+1); got != signedStale {
		t.Errorf("set back, the first one again: %v", signedNames[got])
	}
	const between = later - 3*nonceMillis // its set is that of later
	if got := take(2, between, between); got != signedFresh {
		t.Errorf("set back a little, a new one: %v", signedNames[got])
	}
	if got := take(2, between, between+1); got != signedReplayed {
		t.Errorf("the same again: %v", signedNames[got])
	}
	if got := take(2, between, later); got == signedFresh {
		t.Errorf("the same, when the clock is right again: %v", signedNames[got])
	}
}
