package namesrv

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nsdiff"
	"gonamesrv/route"
)

const (
	// watchedDifferences is how many things that differ are watched, in each part of each
	// peer: those with the smallest hashes, so that a thing that is watched stays watched
	// as long as not many others join it.
	watchedDifferences = 256
	peerSamples        = 5
)

// A peerDiff is what differs between two name servers in one part. The zero value is
// ready.
type peerDiff struct {
	items []peerDifference // at most twice watchedDifferences; in ascending order of hash once settled
	count int              // also those that are not watched
	most  uint64           // hashes from here on are not watched; 0 watches all
}

// A peerDifference is one thing that differs.
type peerDifference struct {
	hash  uint64 // of text
	text  string // what differs, and how
	since time.Duration
}

var peerDiffSeed = maphash.MakeSeed()

// add notes something that differs. what is borrowed, and a text of a peer.
func (d *peerDiff) add(what []byte, how string) {
	d.count++
	var h maphash.Hash
	h.SetSeed(peerDiffSeed)
	h.Write(what)
	h.WriteString(how)
	hash := h.Sum64()
	if d.most != 0 && hash >= d.most {
		return
	}
	d.items = append(d.items, peerDifference{hash: hash, text: clip(string(what)) + how})
	if len(d.items) == 2*watchedDifferences {
		d.cut()
	}
}

// cut leaves the smallest hashes, each once.
func (d *peerDiff) cut() {
	slices.SortFunc(d.items, func(a, b peerDifference) int { return cmp.Compare(a.hash, b.hash) })
	d.items = slices.CompactFunc(d.items, func(a, b peerDifference) bool { return a.hash == b.hash })
	if len(d.items) > watchedDifferences {
		d.most = d.items[watchedDifferences].hash
		clear(d.items[watchedDifferences:])
		d.items = d.items[:watchedDifferences]
	}
}

// finish ends the collection at the given time. What was there before, has been there
// since then.
func (d *peerDiff) finish(now time.Duration, before *peerDiff) {
	d.cut()
	for i := range d.items {
		t := &d.items[i]
		t.since = now
		if at, ok := slices.BinarySearchFunc(before.items, t.hash, func(b peerDifference, h uint64) int { return cmp.Compare(b.hash, h) }); ok {
			t.since = before.items[at].since
		}
	}
}

// find returns whether something is known to be only here, or only there.
func (d *peerDiff) find(what string) (there, known bool) {
	for _, t := range d.items {
		if how, ok := strings.CutPrefix(t.text, what); ok && (how == onlyHere || how == onlyThere) {
			return how == onlyThere, true
		}
	}
	return false, false
}

// show returns d as it is shown. wall is what people call now.
func (d *peerDiff) show(now time.Duration, wall time.Time) PeerPart {
	p := PeerPart{Compared: true, Now: d.count}
	byAge := slices.Clone(d.items)
	slices.SortFunc(byAge, func(a, b peerDifference) int {
		return cmp.Or(cmp.Compare(a.since, b.since), strings.Compare(a.text, b.text))
	})
	for _, t := range byAge {
		if now-t.since >= peerConfirm {
			p.Differ++
		}
		if len(p.Samples) < peerSamples {
			p.Samples = append(p.Samples, t.text)
		}
	}
	if p.Differ > 0 {
		p.Since = wall.Add(byAge[0].since - now)
	}
	return p
}

const (
	onlyHere  = ": only here"
	onlyThere = ": only there"
)

// diffBrokers compares with the answer to GET_BROKER_CLUSTER_INFO. Zones and acting flags
// are left out: which member of a set decides them differs between releases.
func diffBrokers(d *peerDiff, v *route.View, body []byte) error {
	var info codec.ClusterInfo
	left := peerDecoded
	if err := info.DecodeWithin(body, func(n int) bool { left -= n; return left >= 0 }); err != nil {
		return err
	}
	theirs := map[string]bool{}
	for member := range nsdiff.Members(&info) {
		theirs[member] = true
	}
	for c := range route.Diff(nil, v).Brokers() {
		for m := range c.New.Members() {
			text := nsdiff.MemberText(c.New.Cluster, c.Name, m.ID, m.Addr)
			if !theirs[text] {
				d.add([]byte(text), onlyHere)
			}
			delete(theirs, text)
		}
	}
	for text := range theirs {
		d.add([]byte(text), onlyThere)
	}
	return nil
}

// diffTopics compares with the answer to GET_ALL_TOPIC_LIST_FROM_NAMESERVER.
func diffTopics(d *peerDiff, v *route.View, body []byte) error {
	names := v.CompareNames()
	err := codec.EachTopic(body, func(name []byte) bool {
		if !names.Has(name) {
			d.add(name, onlyThere)
		}
		return true
	})
	if err != nil {
		return err
	}
	for name := range names.Rest {
		d.add([]byte(name), onlyHere)
	}
	return nil
}

// diffConfig compares with the answer to GET_NAMESRV_CONFIG the keys that both have and
// that should be the same.
func diffConfig(d *peerDiff, cfg *Config, body []byte) error {
	theirs := nsdiff.ConfigLines(body)
	for key, ours := range nsdiff.ConfigLines(cfg.text()) {
		value, ok := theirs[key]
		k, known := knownKeys[key]
		if !ok || !known || k.unused || IsOwnKey(key) || value == ours {
			continue
		}
		d.add([]byte(key), ": "+clip(shown(key, ours))+" here, "+clip(shown(key, value))+" there")
	}
	return nil
}

// IsOwnKey reports whether each name server has a value of its own for a key: files,
// ports, addresses, what goes by the machine, and secrets. Where configurations are
// compared, these are left out.
func IsOwnKey(key string) bool {
	return knownKeys[key].secret || soundsSecret(key) || nsdiff.IsLocalKey(key)
}

// version returns which release a peer like us says that it is, "" for another one.
func (a *peerAnswers) version() string { return nsdiff.ConfigLines(a.config.body)[versionKey] }
