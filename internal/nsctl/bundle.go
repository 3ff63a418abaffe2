package nsctl

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"
)

// bundleSeconds is how long the profile of a bundle lasts, and what lies between its two
// readings of the metrics.
const bundleSeconds = 10

// newBundle makes `nsctl bundle`.
func (c *ctl) newBundle() *cobra.Command {
	var file string
	var names bool
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Put into one file what somebody needs who is to help",
		Long: "Put into one file (tar.gz) what somebody needs who is to help: status, health, brokers, events, configuration, metrics twice,\n" +
			"and profiles. Neither secrets, nor values of the KV configuration, nor what operators have sent are in it; names of topics only with\n" +
			"--names, otherwise a hash stands for each, another one in each bundle. index.txt says what is missing, and why.",
		Args: cobra.NoArgs,
		RunE: c.writes(func(ctx context.Context, _ []string) error { return c.bundle(ctx, file, names) }),
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "the file, which must not be there; - is stdout (nsctl-bundle-TIME.tar.gz)")
	cmd.Flags().BoolVar(&names, "names", false, "with the names of topics")
	return cmd
}

// A bundle is the file while it is made.
type bundle struct {
	*ctl
	names   bool
	salt    []byte // of the hashes that stand for names of topics
	made    time.Time
	seconds int

	mu    sync.Mutex
	to    *tar.Writer
	index strings.Builder
	err   error // of writing
}

// bundle makes the file.
func (c *ctl) bundle(ctx context.Context, file string, names bool) error {
	admins, err := c.admins()
	if err != nil {
		return err
	}
	b := &bundle{ctl: c, names: names, salt: make([]byte, 32), made: c.now(), seconds: bundleSeconds}
	if c.bundleSeconds > 0 {
		b.seconds = c.bundleSeconds
	}
	rand.Read(b.salt)
	if file == "" {
		file = "nsctl-bundle-" + fileStamp(b.made) + ".tar.gz"
	}
	var out io.Writer = c.stdout
	var f *os.File
	if file != "-" {
		if f, err = os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return usage("%v", err)
		}
		out = f
	}
	answers, err := b.write(ctx, admins, out)
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	end := outcome(c, answers)
	var ended *exitError
	switch nobody := errors.As(end, &ended) && ended.code == exitNobody; {
	case f != nil && (err != nil || nobody):
		os.Remove(file)
	case f != nil:
		fmt.Fprintln(c.stdout, file)
	}
	if err != nil {
		return &exitError{exitNo, err.Error()}
	}
	return end
}

// write asks all servers at once and writes what they say as it comes.
func (b *bundle) write(ctx context.Context, admins []*admin, out io.Writer) ([]answer[int], error) {
	z := gzip.NewWriter(out)
	b.to = tar.NewWriter(z)
	b.say("made at %s by nsctl %s, topic names: %v", b.made.UTC().Format(time.RFC3339), ownVersion(), map[bool]string{true: "as they are", false: "hashed"}[b.names])
	answers := gather(admins, func(a *admin) answer[int] {
		n, err := b.ask(ctx, a)
		return answer[int]{a.name, n, err}
	})
	for _, a := range answers {
		if a.err != nil {
			b.say("%s: FAILED: %s", a.server, clean(a.err.Error()))
		}
	}
	b.add("index.txt", []byte(b.index.String()))
	return answers, errors.Join(b.err, b.to.Close(), z.Close())
}

// ownVersion is that of this program.
func ownVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
		return info.Main.Version
	}
	return "unknown"
}

// say adds a line to the index.
func (b *bundle) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(&b.index, format+"\n", args...)
}

// add adds a file.
func (b *bundle) add(name string, text []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return
	}
	h := &tar.Header{Name: "nsctl-bundle-" + fileStamp(b.made) + "/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: b.made, Typeflag: tar.TypeReg}
	if b.err = b.to.WriteHeader(h); b.err == nil {
		_, b.err = b.to.Write(text)
	}
}

// A bundlePart is one file of a server.
type bundlePart struct {
	name string
	make func(ctx context.Context, a *admin) ([]byte, error)
}

// ask asks one server for everything, and returns how much it had. The error is why it had
// nothing at all.
func (b *bundle) ask(ctx context.Context, a *admin) (n int, why error) {
	for _, p := range b.parts() {
		text, err := p.make(ctx, a)
		name := fileName(a.name) + "/" + p.name
		if err == nil {
			b.add(name, text)
			b.say("%s: %d bytes", name, len(text))
			n++
			continue
		}
		b.say("%s: MISSING: %s", name, clean(err.Error()))
		if why == nil {
			why = err
		}
		var lost *unreachedError
		if n == 0 && errors.As(err, &lost) {
			break // nobody is there
		}
	}
	if n == 0 {
		return 0, why
	}
	if why != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.sayOf(a.name, "some parts are missing, see index.txt: %v", why)
	}
	return n, nil
}

// parts are the files of a server, in the order in which they are asked for.
func (b *bundle) parts() []bundlePart {
	get := func(path string, query url.Values) func(context.Context, *admin) ([]byte, error) {
		return func(ctx context.Context, a *admin) ([]byte, error) {
			return a.fetch(ctx, path, query, "*/*", a.timeout)
		}
	}
	profile := func(kind profileKind) func(context.Context, *admin) ([]byte, error) {
		return func(ctx context.Context, a *admin) ([]byte, error) {
			return kind.take(ctx, a, b.seconds)
		}
	}
	began := time.Now()
	parts := []bundlePart{
		{"build.json", get("/v1", nil)},
		{"livez.txt", probe("/livez")},
		{"readyz.txt", probe("/readyz")},
		{"startupz.txt", probe("/startupz")},
		{"metrics-1.txt", get("/metrics", nil)},
		{"status.json", get("/v1/status", nil)},
		{"clusters.json", get("/v1/clusters", nil)},
		{"brokers.ndjson", list("/v1/brokers", "after", url.Values{"limit": {"1000"}}, nil)},
		{"events.ndjson", list("/v1/events", "since", url.Values{"limit": {"1000"}, "since": {"0"}}, b.scrubEvent)},
		{"config.json", func(ctx context.Context, a *admin) ([]byte, error) {
			return scrubbed(ctx, a, "/v1/config", scrubConfig)
		}},
		{"peers.json", func(ctx context.Context, a *admin) ([]byte, error) {
			return scrubbed(ctx, a, "/v1/peers", b.scrubPeers)
		}},
		{"clients.json", get("/v1/connections", nil)},
		{"digest.json", get("/v1/digest", nil)},
		{"goroutines.txt", get("/debug/pprof/goroutine", url.Values{"debug": {"2"}})},
		{"heap.pprof", profile(profileKinds["heap"])},
		{"cpu.pprof", profile(profileKinds["cpu"])},
		{"metrics-2.txt", func(ctx context.Context, a *admin) ([]byte, error) {
			sleep(ctx, time.Until(began.Add(time.Duration(b.seconds)*time.Second))) // also where there was no profile
			return a.fetch(ctx, "/metrics", nil, "*/*", a.timeout)
		}},
	}
	if b.names {
		parts = append(parts, bundlePart{"topics.ndjson", list("/v1/topics", "after", url.Values{"fields": {"name"}, "limit": {"10000"}}, nil)})
	}
	return parts
}

// probe asks for the checks of a probe, also of one that fails.
func probe(path string) func(context.Context, *admin) ([]byte, error) {
	return func(ctx context.Context, a *admin) ([]byte, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("no answer within %v", a.timeout))
		defer cancel()
		reply, err := a.send(ctx, path, url.Values{"verbose": {""}}, "text/plain")
		if err != nil {
			return nil, err
		}
		defer reply.Body.Close()
		text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
		if err == nil && reply.StatusCode != http.StatusOK && reply.StatusCode != http.StatusServiceUnavailable {
			err = fmt.Errorf("it answers %s", reply.Status)
		}
		return text, err
	}
}

// list reads a whole list, an item a line. scrub changes items; nil leaves them.
func list(path, param string, query url.Values, scrub func(map[string]any)) func(context.Context, *admin) ([]byte, error) {
	return func(ctx context.Context, a *admin) ([]byte, error) {
		var out bytes.Buffer
		var bad error
		err := pages(ctx, a, path, query, param, func(p *page[any]) bool {
			for i := range p.Items {
				text := []byte(p.Items[i].raw)
				if scrub != nil {
					if text, bad = scrubText(text, scrub); bad != nil {
						return false
					}
				}
				out.Write(text)
				out.WriteByte('\n')
			}
			if out.Len() > maxAnswer {
				bad = fmt.Errorf("more than %d bytes", maxAnswer)
			}
			return bad == nil
		})
		return out.Bytes(), errors.Join(err, bad)
	}
}

// scrubbed asks for one thing and changes it.
func scrubbed(ctx context.Context, a *admin, path string, scrub func(map[string]any)) ([]byte, error) {
	text, err := a.fetch(ctx, path, nil, "application/json", a.timeout)
	if err != nil {
		return nil, err
	}
	return scrubText(text, scrub)
}

// scrubText changes an object. Its numbers stay as they are written.
func scrubText(text []byte, scrub func(map[string]any)) ([]byte, error) {
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	scrub(v)
	return json.MarshalWithOption(v, json.DisableHTMLEscape())
}

// scrubEvent leaves of an event what may be shown. What an operator has sent may be
// anything, a value of the KV configuration too; and so may a reason that answers it.
func (b *bundle) scrubEvent(e map[string]any) {
	e["change"] = nil
	kind, _ := e["type"].(string)
	if strings.HasPrefix(kind, "admin.") || strings.HasPrefix(kind, "kv.") || strings.HasPrefix(kind, "config.") || strings.HasPrefix(kind, "topic.") {
		e["reason"] = nil
	}
	if b.names {
		return
	}
	if topic, ok := e["topic"].(string); ok {
		e["topic"] = b.hash(topic)
	}
	b.hashAll(e["sample"])
}

// scrubPeers hashes what differs in topics, configuration and KV config.
func (b *bundle) scrubPeers(v map[string]any) {
	items, _ := v["items"].([]any)
	for _, it := range items {
		p, _ := it.(map[string]any)
		for _, part := range []string{"topics", "config", "kv"} {
			differ, _ := p[part].(map[string]any)
			if part == "topics" && b.names {
				continue
			}
			b.hashAll(differ["samples"])
		}
	}
}

// scrubConfig hides values of keys that nobody knows: what is in them is not known either.
func scrubConfig(v map[string]any) {
	items, _ := v["items"].([]any)
	for _, it := range items {
		if item, ok := it.(map[string]any); ok && item["default"] == nil && item["effect"] == "none" {
			item["value"] = "******"
		}
	}
}

// hashAll hashes each text of a list.
func (b *bundle) hashAll(list any) {
	texts, _ := list.([]any)
	for i, t := range texts {
		if text, ok := t.(string); ok {
			texts[i] = b.hash(text)
		}
	}
}

// hash returns what stands for a name of a topic. Nobody can try names who has the bundle
// only: the salt is not in it.
func (b *bundle) hash(name string) string {
	h := hmac.New(sha256.New, b.salt)
	h.Write([]byte(name))
	return fmt.Sprintf("topic-%x", h.Sum(nil)[:8])
}
