package namesrv

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// TestHorizonExamples loads every file in SPLIT_HORIZON.md, and registers the brokers that
// are named behind it: clients are told what the page says. Examples give no warnings.
func TestHorizonExamples(t *testing.T) {
	page, err := os.ReadFile("../../docs/SPLIT_HORIZON.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	line := regexp.MustCompile(`^client (\S+): broker (\S+), id (\d+), cluster (\S+), (\S+) -> (\S+)$`)
	files, explained := 0, 0
	var hs *route.Horizons
	for _, b := range blocks {
		switch kind, text := b[1], b[2]; kind {
		case "yaml":
			var warnings []string
			if hs, warnings, err = parseHorizons([]byte(text), nil); err != nil || len(warnings) > 0 {
				t.Fatalf("%s%v %v", text, err, warnings)
			}
			files++
		case "explain":
			for l := range strings.Lines(text) {
				m := line.FindStringSubmatch(strings.TrimSpace(l))
				if m == nil {
					t.Fatalf("cannot read %q", l)
				}
				if got := explainOne(t, hs, m[1], m[2], m[3], m[4], m[5]); got != m[6] {
					t.Errorf("%sis told %s", l, got)
				}
				explained++
			}
		}
	}
	if files < 7 || explained < 16 {
		t.Errorf("the page has %d files and %d explanations", files, explained)
	}
}

// explainOne returns what a client is told of the one broker of a topic.
func explainOne(t *testing.T, hs *route.Horizons, client, broker, id, cluster, addr string) string {
	t.Helper()
	table := route.New(route.Options{})
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	body := &codec.RegisterBrokerBody{}
	for _, topic := range []string{"T", "U"} {
		body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(topic), Key: []byte(topic), ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6})
	}
	r := &route.Registration{Body: body, Conn: 1}
	r.Cluster, r.BrokerName, r.BrokerID, r.BrokerAddr, r.TimeoutMillis = cluster, broker, n, addr, 1000
	if _, err := table.RegisterBroker(1, r); err != nil {
		t.Fatal(err)
	}
	x, err := table.View().Explain(hs, &route.Client{Addr: netip.MustParseAddr(client)}, []byte("T"), &route.RouteForm{Dialect: codec.DialectStrict})
	if err != nil || len(x.Members) != 1 {
		t.Fatal(x, err)
	}
	if !strings.Contains(string(x.Body), fmt.Sprintf(`{"%d":%q}`, n, x.Members[0].Result)) {
		t.Errorf("the bytes are %s", x.Body)
	}
	return x.Members[0].Result
}

// TestReloadLooksAtHorizons: SIGHUP need not wait for a sign of the file system.
func TestReloadLooksAtHorizons(t *testing.T) {
	s := everythingOn(t, io.Discard)
	defer s.releaseFiles()
	defer s.unlisten()
	s.Reload()
	if len(s.horizons.soon) != 1 {
		t.Error("nobody looks at the horizon file")
	}
}
