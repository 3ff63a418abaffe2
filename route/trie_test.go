package route

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type trieItem struct {
	key   string
	value int
}

func (i *trieItem) trieKey() string { return i.key }

// TestTrieAgainstMap changes a trie and a map alike. Every earlier version of
// the trie must stay what it was.
func TestTrieAgainstMap(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	masks := map[string]uint64{
		"whole hash":     ^uint64(0),
		"few bits":       1 | 1<<30 | 1<<60, // names share slots on every level, and whole hashes too
		"all hash alike": 0,
	}
	for name, mask := range masks {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				tr := newTrie[*trieItem](maphash.MakeSeed())
				tr.mask = mask
				want := map[string]int{}
				type version struct {
					trie trie[*trieItem]
					want map[string]int
				}
				var versions []version
				edition := uint64(1)
				for range rapid.IntRange(1, 400).Draw(rt, "steps") {
					key := fmt.Sprint(rapid.IntRange(0, 300).Draw(rt, "key"))
					switch rapid.IntRange(0, 4).Draw(rt, "step") {
					case 0, 1:
						value := rapid.Int().Draw(rt, "value")
						tr.put(edition, &trieItem{key, value})
						want[key] = value
					case 2, 3:
						_, had := want[key]
						if got := tr.remove(edition, key); got != had {
							rt.Fatalf("remove(%s) = %v, want %v", key, got, had)
						}
						delete(want, key)
					case 4:
						versions = append(versions, version{tr, maps.Clone(want)})
						edition++
					}
					checkTrie(rt, &tr, want)
				}
				for i := range versions {
					checkTrie(rt, &versions[i].trie, versions[i].want)
				}
			})
		})
	}
}

// checkFrom compares what from returns with all that there is.
func checkFrom(rt *rapid.T, tr *trie[*trieItem]) {
	var all []trieSlot[*trieItem]
	for i := range tr.all {
		all = append(all, trieSlot[*trieItem]{tr.hash(i.key), i})
	}
	hashes := []uint64{0, rapid.Uint64().Draw(rt, "from"), math.MaxUint64}
	if n := len(all); n > 0 {
		h := all[rapid.IntRange(0, n-1).Draw(rt, "at")].hash
		hashes = append(hashes, h, h+1)
	}
	for _, h := range hashes {
		var want []trieSlot[*trieItem]
		for _, s := range all {
			if s.hash >= h {
				want = append(want, s)
			}
		}
		got := slices.Collect(tr.from(h))
		if !slices.Equal(got, want) || !slices.IsSortedFunc(got, func(a, b trieSlot[*trieItem]) int { return cmp.Compare(a.hash, b.hash) }) {
			rt.Fatalf("from %x there are %v, want %v", h, got, want)
		}
		for range tr.from(h) {
			break // it ends there
		}
	}
}

func checkTrie(rt *rapid.T, tr *trie[*trieItem], want map[string]int) {
	got := map[string]int{}
	for i := range tr.all {
		if _, twice := got[i.key]; twice {
			rt.Fatalf("%q is there twice", i.key)
		}
		got[i.key] = i.value
	}
	if !maps.Equal(got, want) || tr.size != len(want) {
		rt.Fatalf("trie holds %v (size %d), want %v", got, tr.size, want)
	}
	checkFrom(rt, tr)
	for k, v := range want {
		if i, ok := tr.get(k); !ok || i.value != v {
			rt.Fatalf("get(%q) = %v, %v, want %d", k, i, ok, v)
		}
	}
	for i := range 301 {
		key := fmt.Sprint(i)
		if _, there := want[key]; there {
			continue
		}
		if i, ok := tr.get(key); ok || i != nil {
			rt.Fatalf("get of the absent key %s = %v, %v", key, i, ok)
		}
	}
	if tr.root != nil {
		checkTrieShape(rt, tr.root, trieFirst)
	}
}

// checkTrieShape makes sure that buckets are in order, that no node holds so
// little that it should be a bucket, and that sizes are right.
func checkTrieShape(rt *rapid.T, n *trieNode[*trieItem], shift int) {
	size := 0
	for i := range n.ways {
		switch {
		case n.lens[i] > 0:
			b := n.bucket(i)
			size += len(b)
			if len(b) > trieBucket && !isLast(shift) {
				rt.Fatalf("a bucket at shift %d holds %d elements", shift, len(b))
			}
			for j, s := range b {
				if trieWay(s.hash, shift) != i || j > 0 && b[j-1].hash > s.hash {
					rt.Fatalf("the bucket of way %d at shift %d is out of order", i, shift)
				}
			}
		case n.ways[i] != nil:
			down := (*trieNode[*trieItem])(n.ways[i])
			if down.size <= trieBucket {
				rt.Fatalf("a node below shift %d holds only %d elements", shift, down.size)
			}
			checkTrieShape(rt, down, shift-trieBits)
			size += down.size
		}
	}
	if size != n.size {
		rt.Fatalf("a node at shift %d says it holds %d elements, it holds %d", shift, n.size, size)
	}
}

// BenchmarkTrieGet looks random keys up among ever more, which are as far apart
// in memory as those of a table.
func BenchmarkTrieGet(b *testing.B) {
	for _, size := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			tr := newTrie[*trieItem](maphash.MakeSeed())
			for i := range size {
				tr.put(1, &trieItem{string(benchTopic(i)), i})
			}
			keys := make([]string, 1<<16) // copies, so that only the trie's own memory is cold
			for i := range keys {
				keys[i] = string(benchTopic(rand.IntN(size)))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := tr.get(keys[i&(len(keys)-1)]); !ok {
					b.Fatal("a key is missing")
				}
				i++
			}
		})
	}
}
