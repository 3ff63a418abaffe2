package nsctl

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/internal/nsdiff"
)

const (
	coarseBuckets = 1024
	fineBuckets   = 65536
	mostCoarse    = 128 // buckets that differ; if there are more, snapshots are cheaper
	mostFine      = 256 // that one request may name

	routeBatch = 512 // topics whose routes are asked for together
	routeConns = 4   // connections to ask a server for routes
)

// A digestAnswer is an answer of /v1/digest.
type digestAnswer struct {
	Generation string   `json:"generation"`
	Brokers    string   `json:"brokers"`
	Topics     string   `json:"topics"`
	Buckets    []string `json:"buckets"`
	Names      []string `json:"names"`
	Sums       []string `json:"sums"`
}

func (a *digestAnswer) boot() string {
	boot, _, _ := strings.Cut(a.Generation, ".")
	return boot
}

// lookAtDigests asks for the coarse checksums. If every server that was reached has given
// them, topics are compared by them.
func (d *comparison) lookAtDigests(ctx context.Context) {
	whys := make([]error, len(d.servers))
	d.each(func(i int, s *compared) error {
		if s.api != nil {
			s.digest, whys[i] = s.getDigest(ctx, coarseBuckets, 0, nil)
		}
		return nil
	})
	boots := map[string]int{}
	for i, s := range d.servers {
		if s.err == nil && s.api != nil && whys[i] == nil {
			boots[s.digest.boot()]++
		}
	}
	d.byDigest = d.alive() > 1
	for i, s := range d.servers {
		if s.err != nil {
			continue
		}
		if s.api != nil && whys[i] == nil && (boots[s.digest.boot()] > 1 || len(s.digest.Buckets) != coarseBuckets) {
			whys[i] = errors.New("it is that of another server")
		}
		if whys[i] != nil {
			d.note(s, "its HTTP API is not used: %v", whys[i])
			s.api = nil
		}
		d.byDigest = d.byDigest && s.api != nil
	}
}

// getDigest asks for checksums. A server that is busy is asked again.
func (s *compared) getDigest(ctx context.Context, buckets, within int, only []int) (a digestAnswer, err error) {
	q := url.Values{"buckets": {strconv.Itoa(buckets)}}
	if within > 0 {
		q.Set("within", strconv.Itoa(within))
	}
	if len(only) > 0 {
		var list []string
		for _, n := range only {
			list = append(list, strconv.Itoa(n))
		}
		q.Set("only", strings.Join(list, ","))
	}
	for try := 0; ; try++ {
		err = s.api.get(ctx, "/v1/digest", q, &a)
		var p *problemError
		if try == 3 || !errors.As(err, &p) || p.Status != http.StatusTooManyRequests && p.Status != http.StatusServiceUnavailable {
			return a, err
		}
		if err := pause(ctx, time.Second); err != nil {
			return a, err
		}
	}
}

// digests asks all servers for checksums.
func (d *comparison) digests(ctx context.Context, buckets, within int, only []int) ([]*digestAnswer, error) {
	all := make([]*digestAnswer, len(d.servers))
	whys := make([]error, len(d.servers))
	d.each(func(i int, s *compared) error {
		var a digestAnswer
		a, whys[i] = s.getDigest(ctx, buckets, within, only)
		all[i] = &a
		return nil
	})
	for i, err := range whys {
		if err != nil {
			d.note(d.servers[i], "its HTTP API is not used: %v", err)
			return nil, err
		}
	}
	return all, nil
}

func (d *comparison) sameDigests(of func(a *digestAnswer) string) bool {
	seen := map[string]bool{}
	for _, s := range d.servers {
		if s.err == nil {
			seen[of(&s.digest)] = true
		}
	}
	return len(seen) < 2
}

// lookAtTopics compares topics, in the cheapest way that there is.
func (d *comparison) lookAtTopics(ctx context.Context, now, before *findings) {
	want := d.wanted(before)
	if d.byDigest {
		done, err := d.topicsByDigest(ctx, now, before, want)
		if err == nil && !done {
			err = d.topicsBySnapshot(ctx, now, want)
		}
		if err == nil {
			return
		}
		d.byDigest = false
		now.topics, now.topicCount = differences{}, 0
	}
	d.topicsByName(ctx, now, want)
}

// Which topics to look at, and whether with their routes.
const (
	topicUnwanted = iota
	topicByName
	topicByRoute
)

// wanted returns which topics to look at: in the first look those of the flags, then those
// that have differed before.
func (d *comparison) wanted(before *findings) func(name string) int {
	if before == nil {
		return func(name string) int {
			switch {
			case d.topics != nil && !d.topics.MatchString(name):
				return topicUnwanted
			case d.topics != nil || d.deep:
				return topicByRoute
			}
			return topicByName
		}
	}
	names := map[string]int{}
	for i := range before.topics.list {
		f := &before.topics.list[i]
		how := topicByName
		if f.What != "" {
			how = topicByRoute
		}
		names[f.Name] = max(names[f.Name], how)
	}
	return func(name string) int { return names[name] }
}

// topicsByDigest goes down from 1,024 buckets to 65,536 and to the topics in them, and asks
// for the routes of those whose checksums differ. It returns false if so many differ that
// this is not the way.
func (d *comparison) topicsByDigest(ctx context.Context, now, before *findings, want func(string) int) (done bool, err error) {
	if before != nil {
		now.fine = before.fine
	} else {
		coarse := make([]*digestAnswer, len(d.servers))
		for i, s := range d.servers {
			if s.err == nil {
				coarse[i] = &s.digest
			}
		}
		buckets := differentBuckets(coarse)
		if len(buckets) == 0 {
			return true, nil
		}
		if len(buckets) > mostCoarse {
			return false, nil
		}
		fine, err := d.digests(ctx, fineBuckets, coarseBuckets, buckets)
		if err != nil {
			return false, err
		}
		const each = fineBuckets / coarseBuckets
		for _, n := range differentBuckets(fine) {
			now.fine = append(now.fine, buckets[n/each]+n%each*coarseBuckets)
		}
		if len(now.fine) > mostFine {
			now.fine = nil
			return false, nil
		}
		if len(now.fine) == 0 { // they agree by now
			return true, nil
		}
	}
	if len(now.fine) == 0 {
		return false, nil
	}
	topics, err := d.digests(ctx, fineBuckets, 0, now.fine)
	if err != nil {
		return false, err
	}
	sums := map[string][]nsdiff.Value{}
	for i, a := range topics {
		if a == nil {
			continue
		}
		if len(a.Names) != len(a.Sums) {
			return false, errNoAPI
		}
		for k, name := range a.Names {
			said := sums[name]
			if said == nil {
				said = make([]nsdiff.Value, len(topics))
				for j := range said {
					said[j].Known = topics[j] != nil
				}
				sums[name] = said
			}
			said[i] = nsdiff.There(a.Sums[k])
		}
	}
	b := d.newBatch(now)
	for _, name := range sortedKeys(sums) {
		said := make([]nsdiff.Topic, len(topics))
		first, same := -1, true
		for i, v := range sums[name] {
			said[i] = nsdiff.Topic{Known: v.Known, There: v.There}
			if v.Known && first < 0 {
				first = i
			}
			same = same && (!v.Known || v == sums[name][first])
		}
		if !same && want(name) != topicUnwanted {
			b.add(ctx, name, said, true, sums[name])
		}
	}
	b.flush(ctx)
	return true, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// differentBuckets returns which buckets are not equal in all answers; nil is none.
func differentBuckets(all []*digestAnswer) (different []int) {
	var first *digestAnswer
	for _, a := range all {
		switch {
		case a == nil:
		case first == nil:
			first = a
		default:
			for n := range min(len(first.Buckets), len(a.Buckets)) {
				if first.Buckets[n] != a.Buckets[n] {
					different = append(different, n)
				}
			}
		}
	}
	slices.Sort(different)
	return slices.Compact(different)
}

// topicsBySnapshot compares everything there is, one topic after the other.
func (d *comparison) topicsBySnapshot(ctx context.Context, now *findings, want func(string) int) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sources := make([]nsdiff.Source, len(d.servers))
	errs := make([]error, len(d.servers))
	readers := make([]*snapshotReader, len(d.servers))
	d.each(func(i int, s *compared) error {
		body, err := s.api.open(ctx, "/v1/snapshot", nil, "application/x-ndjson")
		if err != nil {
			errs[i] = err
			return nil
		}
		readers[i] = newSnapshotReader(body)
		sources[i] = readers[i].topic
		return nil
	})
	defer func() {
		for _, r := range readers {
			if r != nil {
				r.close()
			}
		}
	}()
	err := errors.Join(errs...)
	if err == nil {
		err = nsdiff.Merge(sources, func(name string, said []nsdiff.Topic) error {
			now.topicCount++
			if now.topicCount%1000 == 0 {
				d.progress("%d topics", now.topicCount)
				if err := context.Cause(ctx); err != nil {
					return err
				}
			}
			if want(name) != topicUnwanted {
				now.topics.add(nsdiff.CompareTopic(name, said)...)
			}
			return nil
		})
	}
	if err != nil {
		for i, s := range d.servers {
			var at *nsdiff.SourceError
			if errs[i] != nil {
				d.note(s, "its snapshot is not used: %v", errs[i])
			} else if errors.As(err, &at) && at.Server == i {
				d.note(s, "its snapshot is not used: %v", err)
			}
		}
	}
	return err
}

// topicsByName compares lists of names, and the routes of those topics whose routes are
// wanted.
func (d *comparison) topicsByName(ctx context.Context, now *findings, want func(string) int) {
	names := make([]*nsdiff.Names, len(d.servers))
	d.each(func(i int, s *compared) error {
		body, err := d.ask(ctx, s, "topics", codec.ReqGetAllTopicListFromNameserver)
		if err != nil || body == nil {
			return err
		}
		list, err := nsdiff.NamesOf(body, nil)
		if err != nil {
			d.notCompared(s, "topics", err)
			return nil
		}
		names[i] = list
		return nil
	})
	sources := make([]nsdiff.Source, len(d.servers))
	most := 0
	for i, n := range names {
		if n != nil {
			sources[i] = n.Source()
			most = max(most, n.Len())
		}
	}
	b := d.newBatch(now)
	seen := 0
	err := nsdiff.Merge(sources, func(name string, said []nsdiff.Topic) error {
		if seen++; seen%routeBatch == 0 {
			if d.deep {
				d.progress("%d of %d topics", seen, most)
			}
			if err := context.Cause(ctx); err != nil {
				return err
			}
		}
		how := want(name)
		if how == topicUnwanted {
			return nil
		}
		now.topicCount++
		here, known := 0, 0
		for i := range said {
			if said[i].Known {
				known++
			}
			if said[i].There {
				here++
			}
		}
		if here < known || how == topicByRoute && here > 1 {
			b.add(ctx, name, said, how == topicByRoute && here > 1, nil)
		}
		return nil
	})
	if err == nil { // sorted names are in order, so only ctx can have ended
		b.flush(ctx)
	}
}

// A batch is topics that are compared together, so that many routes are under way at once.
type batch struct {
	d     *comparison
	now   *findings
	items []batched
}

type batched struct {
	name  string
	said  []nsdiff.Topic
	route bool           // routes are to be asked for
	sums  []nsdiff.Value // of servers that have said that they differ
}

func (d *comparison) newBatch(now *findings) *batch { return &batch{d: d, now: now} }

// add adds a topic; said is copied.
func (b *batch) add(ctx context.Context, name string, said []nsdiff.Topic, route bool, sums []nsdiff.Value) {
	b.items = append(b.items, batched{strings.Clone(name), slices.Clone(said), route, sums})
	if len(b.items) == routeBatch {
		b.flush(ctx)
	}
}

// flush compares what has been added.
func (b *batch) flush(ctx context.Context) {
	b.d.each(func(i int, s *compared) error { return b.d.routes(ctx, i, s, b.items) })
	for k := range b.items {
		it := &b.items[k]
		found := nsdiff.CompareTopic(it.name, it.said)
		if len(found) == 0 && it.sums != nil { // whatever it is, a route that we are told does not show it
			found = []nsdiff.Difference{{Name: it.name, What: "checksum", Said: it.sums}}
		}
		b.now.topics.add(found...)
	}
	b.items = b.items[:0]
}

// routes asks one server for the routes of a batch.
func (d *comparison) routes(ctx context.Context, i int, s *compared, items []batched) error {
	jobs := make(chan *batched)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	count := 0
	for k := range items {
		if items[k].route && items[k].said[i].There {
			count++
		}
	}
	var all sync.WaitGroup
	conns := make([]*server, min(routeConns, count))
	for c := range conns {
		conns[c] = s.server // the first one
		if c > 0 {
			conns[c] = &server{ctl: s.ctl, addr: s.addr, tls: s.tls, signs: s.signs}
		}
		all.Go(func() {
			if c > 0 {
				defer conns[c].close()
			}
			for it := range jobs {
				if err := s.limiter.Wait(ctx); err != nil {
					continue // ctx has ended
				}
				if err := d.route(ctx, i, s, conns[c], it); err != nil {
					stop(err)
				}
			}
		})
	}
	for k := range items {
		if it := &items[k]; it.route && it.said[i].There {
			jobs <- it
		}
	}
	close(jobs)
	all.Wait()
	return context.Cause(ctx)
}

// route asks for one route.
func (d *comparison) route(ctx context.Context, i int, s *compared, conn *server, it *batched) error {
	reply, err := conn.call(ctx, codec.ReqGetRouteInfoByTopic, codec.ExtFields{{Name: []byte("topic"), Value: []byte(it.name)}}, nil)
	var refused *client.ReplyError
	switch {
	case errors.As(err, &refused) && refused.Code == codec.RespTopicNotExist:
		it.said[i].Routed = true // it is in the list, and nobody serves it
	case errors.As(err, &refused):
		d.refused(s, "some routes", err)
	case err != nil:
		return err
	default:
		var r codec.TopicRouteData
		left := decodedInfo
		if err := r.DecodeWithin(reply.Body, func(n int) bool { left -= n; return left >= 0 }); err != nil {
			d.notCompared(s, "some routes", err)
			return nil
		}
		it.said[i] = nsdiff.RoutedBy(&r)
	}
	return nil
}
