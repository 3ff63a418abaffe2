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
	Names      *[]string `json:"names,omitempty"`   // of the bucket that was asked for
}

// digest says in two numbers what clients are told, so that servers can be compared; in
// which bucket of topics a difference is, and which topics are in it.
func (a *Admin) digest(q *query) (any, error) {
	buckets := q.whole("buckets", 0, 1, route.MaxDigestBuckets)
	only := q.whole("only", -1, 0, route.MaxDigestBuckets-1)
	if only >= 0 && only >= buckets {
		q.refuse("only is %d, must be less than buckets", only)
	}
	if err := q.fault(); err != nil {
		return nil, err
	}
	v := a.server.View()
	d := v.Digest()
	answer := digestList{Generation: a.generation(v), Brokers: digestText(d.Brokers), Topics: digestText(d.Topics)}
	switch {
	case only >= 0:
		names := append([]string{}, v.TopicsOfBucket(buckets, only)...)
		if len(names) > largestNamePage {
			return nil, badParameter("bucket %d of %d has %d topics, more than %d: ask for more buckets", only, buckets, len(names), largestNamePage)
		}
		answer.Names = &names
	case buckets > 0:
		texts := make([]string, 0, buckets)
		for _, sum := range v.TopicDigests(buckets) {
			texts = append(texts, digestText(sum))
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
			Brokers: peerPartOf(&p.Brokers), Topics: peerPartOf(&p.Topics), Config: peerPartOf(&p.Config),
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

// peerTotals says how many peers there are, how many differ and how many cannot be
// reached.
func peerTotals(peers []namesrv.PeerStats) *peersAnswer {
	t := &peersAnswer{Configured: len(peers)}
	for i := range peers {
		p := &peers[i]
		if !p.Up {
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
	return p.Brokers.Differ+p.Topics.Differ+p.Config.Differ > 0
}
