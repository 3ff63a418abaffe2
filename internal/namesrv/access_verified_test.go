package namesrv

import (
	"slices"
	"strconv"
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

// TestWhereAPieceEnds: the same bytes in other fields, or in null ones, have another sum.
func TestWhereAPieceEnds(t *testing.T) {
	const stamp = beforeTime
	request := func(body string, nulls []string, fields ...string) *codec.Command {
		r := nstest.Request(codec.ReqRegisterBroker, fields...)
		r.Body = []byte(body)
		for _, name := range nulls {
			r.Nulls = append(r.Nulls, []byte(name))
		}
		return r
	}
	seen := map[[sumSize]byte]int{}
	for i, r := range []*codec.Command{
		request("", nil, "a", "bc"),
		request("", nil, "ab", "c"),
		request("", nil, "", "abc"),
		request("c", nil, "a", "b"),
		request("", []string{"a", "bc"}),
		request("", []string{"abc"}),
		request("", nil, "a", "bc", "", ""),
		request("", []string{""}, "a", "bc"),
		request("", []string{"a", "bc", "d", "e"}),
		request("", []string{"d", "e"}, "a", "bc"),
		request("", nil, "a", "bc", "d", "e"),
		request("", nil, "d", "e", "a", "bc"),
		request(stamp+"1}", nil, "Signature", "x"),
		request("}", []string{stamp, "\x80\x00\x00\x00\x00\x00\x00\x00"}, "Signature", "x"),
		request("}", []string{"\x80\x00\x00\x00\x00\x00\x00\x00"}, "Signature", stamp),
		request(stamp+"}", nil, "Signature", "x"),
		request(stamp+"}", nil, "Signature", "y"),
		request(stamp+"1}", nil, "signature", "x"),
		request(stamp+"1}", nil, "signature", "y"),
	} {
		sum, ok := sumOfSigned(r)
		if j, there := seen[sum]; there || !ok {
			t.Errorf("%d has the sum of %d, or none: %v", i, j, ok)
		}
		seen[sum] = i
	}
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

// TestRecordedTime finds the time in what real brokers have sent.
func TestRecordedTime(t *testing.T) {
	found := 0
	for _, f := range signedFrames(t) {
		var cmd codec.Command
		if err := cmd.Decode(f.frame); err != nil {
			t.Fatalf("%s: %v", f.title, err)
		}
		if cmd.Code != codec.ReqRegisterBroker {
			continue
		}
		found++
		if b := codec.Timeless(cmd.Body, 0); b.Digits != 13 {
			t.Errorf("%s: %d digits, %.400s", f.title, b.Digits, cmd.Body)
		}
	}
	if found == 0 {
		t.Error("no registration is recorded")
	}
}

// beforeTime is what is before the time in a body of a broker since 5.0.
const beforeTime = `{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":17},` +
	`"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":`

// TestEveryByteOfATimelessSum: of a registration with such a time too, each byte is in the
// sum, but for the time, what the checksum says of it, and the signature.
func TestEveryByteOfATimelessSum(t *testing.T) {
	request := func(millis int64) *codec.Command {
		b := nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:10911"}
		body := []byte(beforeTime + strconv.FormatInt(millis, 10) + `},"topicConfigTable":{}}}`)
		return nstest.Sign(b.RegisterBody(body), "ops", "secret")
	}
	sumOf := func(r *codec.Command) [sumSize]byte {
		sum, ok := sumOfSigned(r)
		if !ok {
			t.Fatal("it has none")
		}
		return sum
	}
	whole := sumOf(request(1795903396624))
	if sumOf(request(1795903406622)) != whole {
		t.Error("another time has another one")
	}
	r := request(1795903396624)
	for i := range r.Ext {
		name := string(r.Ext[i].Name)
		for j := range r.Ext[i].Value {
			r.Ext[i].Value[j] ^= 1
			if same := sumOf(r) == whole; same != (name == "Signature") {
				t.Errorf("byte %d of %s: same %v", j, name, same)
			}
			r.Ext[i].Value[j] ^= 1
		}
	}
	for j := range r.Body {
		r.Body[j] ^= 1
		if sumOf(r) == whole {
			t.Errorf("byte %d of the body, with the old checksum, is not in it", j)
		}
		other := nstest.Sign(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:10911"}.RegisterBody(r.Body), "ops", "secret")
		if same := sumOf(other) == whole; same != (j >= len(beforeTime) && j < len(beforeTime)+13) {
			t.Errorf("byte %d of the body, with a checksum of its own: same %v", j, same)
		}
		r.Body[j] ^= 1
	}
}
