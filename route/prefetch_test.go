package route

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

// TestPrefetchChangesNothing prefetches whatever there is and is not, and wants the
// same routes after it, and none kept that nobody asked for.
func TestPrefetchChangesNothing(t *testing.T) {
	const topics = 10_000
	table := benchTable(topics)
	for i := range topics / 2 {
		benchRoute(table.View(), benchTopic(i))
	}
	rapid.Check(t, func(rt *rapid.T) {
		v := table.View()
		var names [][]byte
		for range rapid.IntRange(0, MaxPrefetch+3).Draw(rt, "names") {
			name := benchTopic(rapid.IntRange(0, topics+10).Draw(rt, "topic"))
			names = append(names, name[:rapid.SampledFrom([]int{len(name), len(name), 0, 3}).Draw(rt, "bytes")])
		}
		form := &RouteForm{Dialect: codec.Dialect(rapid.IntRange(0, 1).Draw(rt, "dialect")), Acting: rapid.Bool().Draw(rt, "acting")}
		if rapid.Bool().Draw(rt, "in zone") {
			form.InZone, form.Zone = true, []byte("z")
		}
		kept, count := v.cache.used.Load(), v.cache.index.count
		v.Prefetch(names, form)
		if v.cache.used.Load() != kept || v.cache.index.count != count {
			rt.Fatal("Prefetch has put something into the cache")
		}
		for _, name := range names {
			e, has := v.Topic(name)
			body, ok := v.Route(name, form)
			if ok != has || ok && !bytes.Equal(body, v.RouteIn(e, form)) {
				rt.Fatalf("the route of %q is %q, %v", name, body, ok)
			}
		}
	})
	names := make([][]byte, MaxPrefetch)
	for i := range names {
		names[i] = benchTopic(i)
	}
	v, form := table.View(), &RouteForm{Dialect: codec.DialectStrict}
	if n := testing.AllocsPerRun(100, func() { v.Prefetch(names, form) }); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestWantsPrefetch wants it where there are many routes, and not where there are
// few.
func TestWantsPrefetch(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	for topics, want := range map[int]bool{0: false, 1_000: false, 30_000: true} {
		table := benchTable(topics)
		for i := range topics {
			benchRoute(table.View(), benchTopic(i))
		}
		if got := table.View().WantsPrefetch(); got != want {
			t.Errorf("%d routes: %v, want %v", topics, got, want)
		}
	}
}
