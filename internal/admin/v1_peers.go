package admin

import (
	"fmt"

	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

type digestList struct {
	Generation string    `json:"generation"`
	Brokers    string    `json:"brokers"`
	Topics     string    `json:"topics"`
	Buckets    *[]string `json:"buckets,omitempty"` // of topics, by a hash of their names
	Names      *[]string `json:"names,omitempty"`   // of the buckets that were asked for
	Sums       *[]string `json:"sums,omitempty"`    // of each of these topics
}

// mostOnly is how many buckets one request may name.
const mostOnly = 256

// digest says in two numbers what clients are told, so that servers can be compared; in
// which bucket of topics a difference is, and which topics are in it. A topic is in the
// bucket that the rest of its hash by the number of buckets says: so those of bucket n of
// 1,024 are in the buckets n, n + 1,024, … of 65,536.
func (a *Admin) digest(q *query) (any, error) {
	buckets := q.whole("buckets", 0, 1, route.MaxDigestBuckets)
	within := q.whole("within", 0, 1, route.MaxDigestBuckets)
	only := q.wholes("only", mostOnly, 0, route.MaxDigestBuckets-1)
	of := buckets // of how many buckets only speaks
	if within > 0 {
		of = within
	}
	for _, n := range only {
		if n >= of {
			q.refuse("only is %d, must be less than %d, the number of buckets", n, of)
		}
	}
	switch {
	case within > 0 && (within > buckets || buckets%within != 0):
		q.refuse("within is %d, must divide buckets, which is %d", within, buckets)
	case within > 0 && len(only) == 0:
		q.refuse("within is of use with only")
	}
	if err := q.fault(); err != nil {
		return nil, err
	}
	v := a.server.View()
	d := v.Digest()
	answer := digestList{Generation: a.generation(v), Brokers: digestText(d.Brokers), Topics: digestText(d.Topics)}
	switch {
	case len(only) > 0 && within == 0:
		topics := v.TopicsOfBuckets(buckets, only...)
		if len(topics) > largestNamePage {
			return nil, badParameter("%d of %d buckets have %d topics, more than %d: ask for more buckets", len(only), buckets, len(topics), largestNamePage)
		}
		names, sums := make([]string, len(topics)), make([]string, len(topics))
		for i, t := range topics {
			names[i], sums[i] = t.Name, digestText(t.Sum)
		}
		answer.Names, answer.Sums = &names, &sums
	case buckets > 0:
		all := v.TopicDigests(buckets)
		texts := make([]string, 0, len(all))
		if within > 0 {
			for _, n := range only {
				for ; n < buckets; n += within {
					texts = append(texts, digestText(all[n]))
				}
			}
		} else {
			for _, sum := range all {
				texts = append(texts, digestText(sum))
			}
		}
		answer.Buckets = &texts
	}
	return answer, nil
}

func digestText(sum uint64) string { return fmt.Sprintf("%016x", sum) }

type peerAnswer struct {
	Addr    string   `json:"addr"`
	Up      bool     `json:"up"`
	Why     *string  `json:"why"`
	Since   *stamp   `json:"since"`
	Version *string  `json:"version"`
	Checked *stamp   `json:"checked"`
	TookMs  int64    `json:"tookMs"`
	Checks  number   `json:"checks"`
	Failed  number   `json:"failed"`
	Brokers peerPart `json:"brokers"`
	Topics  peerPart `json:"topics"`
	Config  peerPart `json:"config"`
	KV      peerPart `json:"kv"`
}

type peerPart struct {
	Compared bool     `json:"compared"`
	Why      *string  `json:"why"`
	Differ   *int     `json:"differ"` // null if it was not compared
	Since    *stamp   `json:"since"`
	Samples  []string `json:"samples"`
}

// peers shows the name servers that this one compares itself with.
func (a *Admin) peers(*query) (any, error) {
	l := listing[peerAnswer]{Generation: a.generation(a.server.View()), Items: []peerAnswer{}}
	for _, p := range a.server.Snapshot().Peers {
		l.Items = append(l.Items, peerAnswer{
			Addr: p.Addr, Up: p.Up, Why: optional(p.Why), Since: stampOf(p.Since), Version: optional(p.Version), Checked: stampOf(p.Checked),
			TookMs: p.Took.Milliseconds(), Checks: number(p.Checks), Failed: number(p.Failed),
			Brokers: peerPartOf(&p.Brokers), Topics: peerPartOf(&p.Topics), Config: peerPartOf(&p.Config), KV: peerPartOf(&p.KV),
		})
	}
	return l, nil
}

func peerPartOf(p *namesrv.PeerPart) peerPart {
	part := peerPart{Compared: p.Compared, Why: optional(p.Why), Since: stampOf(p.Since), Samples: append([]string{}, p.Samples...)}
	if p.Compared {
		part.Differ = &p.Differ
	}
	return part
}

// peerTotals says how many peers there are, how many differ, how many cannot be
// reached and how many were not asked yet.
func peerTotals(peers []namesrv.PeerStats) *peersAnswer {
	t := &peersAnswer{Configured: len(peers)}
	for i := range peers {
		p := &peers[i]
		switch {
		case p.Checks == 0:
			t.NotAsked++
		case !p.Up:
			t.Unreachable++
		}
		if doesDiffer(p) {
			t.Differ++
		}
	}
	return t
}

// doesDiffer reports whether a peer differs in anything, for long enough to count.
func doesDiffer(p *namesrv.PeerStats) bool {
	return p.Brokers.Differ+p.Topics.Differ+p.Config.Differ+p.KV.Differ > 0
}
