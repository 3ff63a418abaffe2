package route

import (
	"fmt"
	"hash/maphash"
	"maps"
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
				for range rapid.IntRange(1, 120).Draw(rt, "steps") {
					key := fmt.Sprint(rapid.IntRange(0, 60).Draw(rt, "key"))
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
	for k, v := range want {
		if i, ok := tr.get(k); !ok || i.value != v {
			rt.Fatalf("get(%q) = %v, %v, want %d", k, i, ok, v)
		}
	}
	for i := range 61 {
		key := fmt.Sprint(i)
		if _, there := want[key]; there {
			continue
		}
		if i, ok := tr.get(key); ok || i != nil {
			rt.Fatalf("get of the absent key %s = %v, %v", key, i, ok)
		}
	}
	checkTrieShape(rt, tr.root, 0)
}

// checkTrieShape makes sure that removal leaves no empty or needless node.
func checkTrieShape(rt *rapid.T, n *trieNode[*trieItem], shift uint) {
	if n == nil {
		return
	}
	if shift > 0 && len(n.nodes) == 0 && len(n.leaves) < 2 {
		rt.Fatalf("a node at shift %d holds %d elements and no node", shift, len(n.leaves))
	}
	if n.leafMap&n.nodeMap != 0 {
		rt.Fatalf("a slot at shift %d holds an element and a node", shift)
	}
	for _, c := range n.nodes {
		checkTrieShape(rt, c, shift+trieBits)
	}
}
