package namesrv

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// TestSumOfSigned: two requests have the same sum if, and only if, they have the same
// fields in the same order, and the same body. Nothing else of a request is signed.
func TestSumOfSigned(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "ab", "", "AccessKey", "Signature"})
	text := rapid.SampledFrom([]string{"", "a", "ab", "b", "null"})
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) *codec.Command {
			r := &codec.Command{Code: codec.ReqRegisterBroker, Opaque: rapid.Int32().Draw(t, label+" opaque"), Body: []byte(text.Draw(t, label+" body"))}
			for range rapid.IntRange(0, 2).Draw(t, label+" fields") {
				extended(r, name.Draw(t, label+" name"), text.Draw(t, label+" value"))
			}
			for range rapid.IntRange(0, 1).Draw(t, label+" nulls") {
				r.Nulls = append(r.Nulls, []byte(name.Draw(t, label+" null")))
			}
			return r
		}
		a, b := draw("a"), draw("b")
		same := string(a.Body) == string(b.Body) &&
			slices.EqualFunc(a.Ext, b.Ext, func(x, y codec.ExtField) bool {
				return string(x.Name) == string(y.Name) && string(x.Value) == string(y.Value)
			}) &&
			slices.EqualFunc(a.Nulls, b.Nulls, func(x, y []byte) bool { return string(x) == string(y) })
		x, ok := sumOfSigned(a)
		y, ok2 := sumOfSigned(b)
		if !ok || !ok2 || (x == y) != same {
			t.Fatalf("%+v and %+v: %x and %x", a, b, x, y)
		}
	})
}

// TestEveryByteOfASum: a change of any byte, be it of a field or of the body, wherever the
// body ends, makes another sum.
func TestEveryByteOfASum(t *testing.T) {
	for _, size := range []int{0, 1, 15, 16, 17, 127, 128, 129, 1000} {
		r := nstest.Sign(brokerRequest(size), "ops", "secret")
		whole, ok := sumOfSigned(r)
		if !ok {
			t.Fatal("it has none")
		}
		pieces := [][]byte{r.Body}
		for _, f := range r.Ext {
			pieces = append(pieces, f.Name, f.Value)
		}
		for _, piece := range pieces {
			for i := range piece {
				for _, flip := range []byte{1, 0x80} {
					piece[i] ^= flip
					if other, _ := sumOfSigned(r); other == whole {
						t.Errorf("body of %d bytes: byte %d of %q is not in it", size, i, piece)
					}
					piece[i] ^= flip
				}
			}
		}
		if again, _ := sumOfSigned(r); again != whole {
			t.Error("the same has another one")
		}
	}
}

// TestHashOfASum is never 0, which means none, and another one for each version.
func TestHashOfASum(t *testing.T) {
	v := verified{}
	seen := map[uint64]bool{}
	for version := int32(-1000); version < 1000; version++ {
		h := v.hash(version)
		if h == 0 || seen[h] {
			t.Fatalf("version %d: %x", version, h)
		}
		seen[h] = true
	}
	v.sum[0] = 1
	if seen[v.hash(0)] {
		t.Error("it is that of another sum")
	}
}

// TestWhatIsVerifiedAgain: of these nothing is remembered.
func TestWhatIsVerifiedAgain(t *testing.T) {
	p := &accessPolicy{generation: 1}
	is := func(r *codec.Command) bool { return verifiedOf(p, r) != nil }
	if !is(brokerRequest(10)) {
		t.Error("a registration is not remembered")
	}
	long := func(size int) *codec.Command {
		return extended(brokerRequest(10), "more", string(make([]byte, size)))
	}
	if !is(long(maxSumFields-1000)) || is(long(maxSumFields)) || is(long(1<<20)) {
		t.Error("fields are remembered whatever their length")
	}
	nulls := brokerRequest(10)
	nulls.Nulls = [][]byte{make([]byte, maxSumFields)}
	if is(nulls) || is(extended(brokerRequest(10), fieldNsSign, "")) || is(nstest.Route("T")) {
		t.Error("what has long names, nsSign or another code is remembered")
	}
}
