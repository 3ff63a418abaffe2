package nsctl

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// count passes bytes on between whoever connects to the address it returns and a server,
// and counts them, until the test ends.
func count(t testing.TB, to string, sum *atomic.Int64) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	pass := func(to, from net.Conn) {
		defer to.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			sum.Add(int64(n))
			if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
				return
			}
		}
	}
	all.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				from.Close()
				continue
			}
			context.AfterFunc(ctx, func() { from.Close() })
			all.Go(func() { pass(server, from) })
			all.Go(func() { pass(from, server) })
		}
	})
	t.Cleanup(func() { l.Close(); stop(); all.Wait() })
	return l.Addr().String()
}

// manyTopics makes nodes know so many topics of 20 brokers, of which three differ. Each has
// a name of 40 bytes.
func manyTopics(nodes []*node, topics int) {
	const brokers = 20
	for k, n := range nodes {
		for i := range brokers {
			b := nstest.Broker{Cluster: "c1", Name: fmt.Sprintf("broker-%d", i), Addr: fmt.Sprintf("10.0.0.%d:10911", i+1), Counter: 1}
			for j := range topics / brokers {
				b.Topics = append(b.Topics, fmt.Sprintf("topic-with-a-name-that-is-long-%09d", i*topics/brokers+j))
			}
			r := b.Register()
			if k == 1 {
				switch i {
				case 3: // another perm
					r = bodyWith(b, b.Topics[7], func(c *codec.TopicConfig) { c.Perm = 4 })
				case 5: // one is missing
					b.Topics = b.Topics[1:]
					r = b.Register()
				case 7: // one more
					b.Topics = append(b.Topics, "only-there")
					r = b.Register()
				}
			}
			n.do(r)
		}
	}
}

// countedDiff compares two nodes, and returns how many bytes went between them and nsctl.
func countedDiff(t testing.TB, nodes []*node) (code int, stdout string, moved int64) {
	var sum atomic.Int64
	var addrs, apis []string
	for _, n := range nodes {
		addrs = append(addrs, count(t, n.addr, &sum))
		apis = append(apis, count(t, n.api, &sum))
	}
	var out, errs bytes.Buffer
	c := &ctl{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(string) string { return "" }, now: time.Now}
	args := append([]string{"diff", "--no-headers", "--timeout", nstest.Patience.String(), "--confirm", "20ms", "--admin", strings.Join(apis, ";")}, addrs...)
	code = c.run(context.Background(), args)
	if errs.Len() > 0 {
		t.Errorf("stderr: %s", &errs)
	}
	return code, out.String(), sum.Load()
}

// TestDiffMovesLittle: what moves goes with what differs, not with what there is. The
// smaller table has less in each bucket, so the bound there is tighter.
func TestDiffMovesLittle(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("registers 200,000 topics with two servers")
	}
	nodes := []*node{newNode(t, nil), newNode(t, nil)}
	manyTopics(nodes, 200_000)
	code, stdout, moved := countedDiff(t, nodes)
	if code != exitNo || strings.Count(stdout, "\n") != 3 || !strings.Contains(stdout, "only-there") {
		t.Errorf("exit %d:\n%s", code, stdout)
	}
	t.Logf("%d bytes for 3 differences in 200,000 topics", moved)
	// Of the bytes for 1,000,000 topics only the names in the finest buckets are fewer here:
	// 3 buckets of 12 more names, of 62 bytes with their sums, from 2 servers in 5 looks.
	if most := int64(mostMoved - 3*12*62*2*5); moved > most {
		t.Errorf("%d bytes have moved, want at most %d", moved, most)
	}
}

// BenchmarkDiffMillion compares two servers with 1,000,000 topics each, of which three
// differ.
func BenchmarkDiffMillion(b *testing.B) {
	nodes := []*node{newNode(b, nil), newNode(b, nil)}
	manyTopics(nodes, 1_000_000)
	for b.Loop() {
		code, stdout, moved := countedDiff(b, nodes)
		if code != exitNo || strings.Count(stdout, "\n") != 3 {
			b.Fatalf("exit %d:\n%s", code, stdout)
		}
		if moved > mostMoved {
			b.Errorf("%d bytes have moved, want at most %d", moved, mostMoved)
		}
		b.ReportMetric(float64(moved), "moved-B/op")
	}
}
