package namesrv

import (
	"cmp"
	"slices"
	"sync"

	"gonamesrv/codec"
)

// maxClientKinds is how many kinds of clients are told apart. Anybody may say that he
// has any language and version.
const maxClientKinds = 32

// otherKind is the number of all kinds beyond that.
const otherKind = maxClientKinds

// A clientKind is what clients are counted by.
type clientKind struct {
	language codec.LanguageCode
	version  string // the minor one
}

// minorVersions are the minor versions, from that of -1 to that of HigherVersion.
var minorVersions = sync.OnceValue(func() *[codec.HigherVersion + 2]string {
	minors := new([codec.HigherVersion + 2]string)
	for i := range minors {
		_, minors[i] = codec.VersionName(int32(i) - 1)
	}
	return minors
})

// A clientKinds counts connections by kind, from their first request to their end. A
// kind without connections makes room for another. Safe from any goroutine; the lock
// is held for some instructions, twice in the life of a connection.
type clientKinds struct {
	mu    sync.Mutex // guards the following
	kinds [maxClientKinds]clientKind
	open  [maxClientKinds + 1]int
}

// join counts a connection in, and returns the number of its kind.
func (k *clientKinds) join(language codec.LanguageCode, version int32) int {
	kind := clientKind{language, minorVersions()[max(-1, min(version, codec.HigherVersion))+1]}
	k.mu.Lock()
	defer k.mu.Unlock()
	n := otherKind
	for i := range k.kinds {
		if k.open[i] == 0 {
			n = min(n, i)
		} else if k.kinds[i] == kind {
			n = i
			break
		}
	}
	if n < otherKind {
		k.kinds[n] = kind
	}
	k.open[n]++
	return n
}

// leave counts a connection out.
func (k *clientKinds) leave(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open[n]--
}

// A ClientCount is how many connections of one kind of client are open.
type ClientCount struct {
	Language string // Java's name of it, as JAVA; "other" for all kinds that found no place among 32
	Version  string // the minor version, as 5.3; "other" with the above
	Count    int
}

// snapshot returns the counts, without zeros, by language and version, others last.
func (k *clientKinds) snapshot() []ClientCount {
	k.mu.Lock()
	kinds, open := k.kinds, k.open
	k.mu.Unlock()
	var all []ClientCount
	for i, n := range open[:maxClientKinds] {
		if n > 0 {
			all = append(all, ClientCount{languageName(kinds[i].language), kinds[i].version, n})
		}
	}
	slices.SortFunc(all, func(a, b ClientCount) int {
		return cmp.Or(cmp.Compare(a.Language, b.Language), cmp.Compare(a.Version, b.Version))
	})
	if n := open[otherKind]; n > 0 {
		all = append(all, ClientCount{"other", "other", n})
	}
	return all
}

// languageName returns Java's name of a language.
func languageName(l codec.LanguageCode) string {
	if l == codec.LanguageUnknown {
		return "UNKNOWN"
	}
	return l.String()
}
