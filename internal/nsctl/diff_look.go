package nsctl

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/internal/nsdiff"
)

// decodedInfo is how many bytes may be allocated for what a cluster info says.
const decodedInfo = 256 << 20

type diffOptions struct {
	deep    bool
	rate    int // routes of each server, a second
	topics  *regexp.Regexp
	lasting time.Duration

	namespaces []string // of the KV config, beside those that are found
}

// A comparison compares servers. It looks at them, and then again and again at what
// differs: what is not the same in each look, with the same on each side, does not count.
type comparison struct {
	*ctl
	diffOptions
	servers  []*compared
	isFiles  bool // of snapshots, which have no configuration
	byDigest bool // topics are compared by the checksums of the read API

	everyNamespace bool // namespaces are all that there are, as far as servers can be asked
	incomplete     bool // something was refused, so that it is not compared; under mu
	pause          func(ctx context.Context, d time.Duration) error

	mu    sync.Mutex
	notes map[string]bool // what was said on stderr
}

// A compared is one server. A look has one goroutine for each.
type compared struct {
	*server
	err     error  // it was not reached, and is left out from then on
	api     *admin // nil: not used
	limiter *rate.Limiter
	digest  digestAnswer
}

func (s *compared) via() string {
	if s.api != nil {
		return "api"
	}
	return "protocol"
}

// newComparison returns a comparison of the servers that are named, or of those of -n.
func (c *ctl) newComparison(named []string, o diffOptions) (*comparison, error) {
	if len(named) > 0 {
		c.servers = strings.Join(named, ";")
		if c.admin == "" { // the environment says which APIs those of -n have
			env := c.env
			c.env = func(key string) string {
				if key == "NSCTL_ADMIN" {
					return ""
				}
				return env(key)
			}
		}
	}
	addrs, err := c.addresses()
	if err != nil {
		return nil, err
	}
	if len(addrs) < 2 {
		return nil, usage("diff needs two name servers or more")
	}
	secure, err := c.tls.config()
	if err != nil {
		return nil, err
	}
	keys, err := c.keys.read()
	if err != nil {
		return nil, err
	}
	apis, err := c.admins()
	if err != nil {
		return nil, err
	}
	if len(apis) != len(addrs) {
		return nil, usage("--admin has %d URLs for %d name servers", len(apis), len(addrs))
	}
	d := &comparison{ctl: c, diffOptions: o, pause: pause, notes: map[string]bool{}}
	for i, addr := range addrs {
		d.servers = append(d.servers, &compared{
			server: &server{ctl: c, addr: addr, tls: secure, signs: keys}, api: apis[i],
			limiter: rate.NewLimiter(rate.Limit(o.rate), max(1, o.rate/10)),
		})
	}
	return d, nil
}

// A findings is what differs in one look, or in all so far.
type findings struct {
	brokers, topics, config, kv differences
	topicCount                  int   // that were compared by name; 0 is not known
	fine                        []int // the finest buckets that differ, if they are few
}

// A differences is what differs in one part.
type differences struct {
	name string
	list []nsdiff.Difference
	more int // that are not kept
}

func (d *differences) add(more ...nsdiff.Difference) {
	room := min(len(more), nsdiff.MaxDifferences-len(d.list))
	d.list = append(d.list, more[:room]...)
	d.more += len(more) - room
}

func (f *findings) parts() []*differences {
	f.brokers.name, f.topics.name, f.config.name, f.kv.name = "brokers", "topics", "config", "kv"
	return []*differences{&f.brokers, &f.topics, &f.config, &f.kv}
}

// count returns how many differences are kept.
func (f *findings) count() (n int) {
	for _, part := range f.parts() {
		n += len(part.list)
	}
	return n
}

// confirmations are when to look again, as parts of --confirm. Most of what is in motion
// is gone at the first of them; the more there are, the less likely something that
// flickers looks the same each time.
var confirmations = []float64{1. / 16, 1. / 4, 1. / 2, 1}

// run returns what differs, and stands.
func (d *comparison) run(ctx context.Context) (*findings, error) {
	found, err := d.look(ctx, nil)
	if err != nil {
		return nil, err
	}
	waited := time.Duration(0)
	for _, part := range confirmations {
		if d.lasting == 0 || found.count() == 0 || d.alive() < 2 {
			break
		}
		at := time.Duration(part * float64(d.lasting))
		d.progress("%d differences: looking again in %v", found.count(), (at - waited).Round(time.Second))
		if err := d.pause(ctx, at-waited); err != nil {
			return nil, err
		}
		waited = at
		again, err := d.look(ctx, found)
		if err != nil {
			return nil, err
		}
		old, now := found.parts(), again.parts()
		for i := range old {
			for k, s := range d.servers {
				if s.err != nil {
					old[i].list = nsdiff.Without(old[i].list, k)
				}
			}
			old[i].list = nsdiff.Standing(old[i].list, now[i].list)
		}
	}
	d.progress("")
	return found, nil
}

func (d *comparison) alive() (n int) {
	for _, s := range d.servers {
		if s.err == nil {
			n++
		}
	}
	return n
}

// each lets f ask every server that has been reached so far, all at once. What f returns
// leaves its server out.
func (d *comparison) each(f func(i int, s *compared) error) {
	var all sync.WaitGroup
	for i, s := range d.servers {
		if s.err == nil {
			all.Go(func() { s.err = f(i, s) })
		}
	}
	all.Wait()
}

// note says something of a server on stderr, once.
func (d *comparison) note(s *compared, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if text := s.addr + ": " + fmt.Sprintf(format, args...); !d.notes[text] {
		d.notes[text] = true
		d.clearProgress()
		fmt.Fprintln(d.stderr, "nsctl:", clean(text))
	}
}

// ask asks one thing. An answer that is a refusal is said, and nil.
func (d *comparison) ask(ctx context.Context, s *compared, what string, code codec.RequestCode) ([]byte, error) {
	reply, err := s.call(ctx, code, nil, nil)
	var refused *client.ReplyError
	if errors.As(err, &refused) {
		d.refused(s, what, err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return reply.Body, nil
}

// refused says that a part of a server is not compared, since it does not tell us.
func (d *comparison) refused(s *compared, what string, err error) {
	d.notCompared(s, what, errors.New("refused: "+errorText(err)))
}

// notCompared says that a part of a server is not compared.
func (d *comparison) notCompared(s *compared, what string, why error) {
	d.note(s, "%s not compared: %v", what, why)
	d.mu.Lock()
	d.incomplete = true
	d.mu.Unlock()
}

// look looks at the servers once: at everything, or at what has differed before.
func (d *comparison) look(ctx context.Context, before *findings) (*findings, error) {
	defer func() {
		for _, s := range d.servers { // nobody keeps a connection over a pause
			s.close()
			s.conn = nil
		}
	}()
	now := &findings{}
	if before == nil || len(before.config.list) > 0 {
		d.lookAtConfig(ctx, now, before == nil)
	}
	if before == nil {
		d.lookAtDigests(ctx)
	}
	if before == nil || len(before.brokers.list) > 0 {
		d.lookAtBrokers(ctx, now, before == nil)
	}
	if before == nil || len(before.topics.list) > 0 {
		d.lookAtTopics(ctx, now, before)
	}
	if before == nil || len(before.kv.list) > 0 {
		d.lookAtKV(ctx, now, before == nil)
	}
	return now, context.Cause(ctx)
}

// lookAtConfig compares configurations. The first time it finds out which servers have a
// read API.
func (d *comparison) lookAtConfig(ctx context.Context, now *findings, first bool) {
	lines := make([]map[string]string, len(d.servers))
	d.each(func(i int, s *compared) error {
		body, err := d.ask(ctx, s, "configuration", codec.ReqGetNamesrvConfig)
		if err != nil || body == nil {
			return err
		}
		lines[i] = nsdiff.ConfigLines(body)
		if !first {
			return nil
		}
		if _, err := apiOf(s.addr, lines[i]); err != nil && s.api.addr != "" || serverConfig(lines[i]).release() == "" {
			s.api = nil // it has none
		} else {
			s.api.config = lines[i]
		}
		return nil
	})
	for _, f := range nsdiff.Config(lines) {
		if nsdiff.SoundsSecret(f.Name) {
			nsdiff.Conceal(f.Said)
		}
		now.config.add(f)
	}
}

// lookAtBrokers compares the members of broker sets.
func (d *comparison) lookAtBrokers(ctx context.Context, now *findings, first bool) {
	if first && d.byDigest && d.sameDigests(func(a *digestAnswer) string { return a.Brokers }) {
		return
	}
	infos := make([]*codec.ClusterInfo, len(d.servers))
	d.each(func(i int, s *compared) error {
		body, err := d.ask(ctx, s, "brokers", codec.ReqGetBrokerClusterInfo)
		if err != nil || body == nil {
			return err
		}
		info, left := &codec.ClusterInfo{}, decodedInfo
		if err := info.DecodeWithin(body, func(n int) bool { left -= n; return left >= 0 }); err != nil {
			d.notCompared(s, "brokers", err)
			return nil
		}
		infos[i] = info
		return nil
	})
	now.brokers.add(nsdiff.Brokers(infos)...)
}

// progress shows on a terminal what is going on; no text takes it away.
func (d *comparison) progress(format string, args ...any) {
	if !isTerminal(d.stderr) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clearProgress()
	if format != "" {
		fmt.Fprintf(d.stderr, format, args...)
	}
}

func (d *comparison) clearProgress() {
	if isTerminal(d.stderr) {
		fmt.Fprint(d.stderr, "\r\x1b[K")
	}
}
