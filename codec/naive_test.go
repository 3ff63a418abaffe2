package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The tests of this file compare what is fast with what is plain: the same rule
// in the simplest code, for values that nobody thought of.

// almost draws text of the few characters that decide something.
func almost(chars string, most int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.RuneFrom([]rune(chars)), 0, most, -1)
}

// TestParseDecimalNaive: Java's Long#parseLong is Go's ParseInt, but for
// underscores and prefixes, which base 10 does not have either.
func TestParseDecimalNaive(t *testing.T) {
	t.Parallel()
	check := func(t *rapid.T, in string) {
		want, err := strconv.ParseInt(in, 10, 64)
		got, ok := parseDecimal(in)
		if ok != (err == nil) || ok && got != want {
			t.Fatalf("%q: got %d, %t; want %d, %v", in, got, ok, want, err)
		}
		if fromBytes, same := parseDecimal([]byte(in)); fromBytes != got || same != ok {
			t.Fatalf("%q: bytes read as %d, %t", in, fromBytes, same)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, almost("0123456789+-_ .", 22).Draw(t, "text"))
		edge := new(big.Int).Add(big.NewInt(rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 0}).Draw(t, "edge")), big.NewInt(rapid.Int64Range(-12, 12).Draw(t, "beside")))
		check(t, edge.String())
		check(t, "+"+edge.String())
		check(t, strings.Repeat("0", rapid.IntRange(0, 30).Draw(t, "zeros"))+strconv.FormatInt(rapid.Int64Min(0).Draw(t, "n"), 10))
	})
}

// decimalText draws what jsonReader.number lets through, with a small exponent.
func decimalText(t *rapid.T) string {
	text := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + rapid.StringOfN(rapid.RuneFrom([]rune("00123456789")), 1, 25, -1).Draw(t, "whole")
	if rapid.Bool().Draw(t, "has a point") {
		text += "." + rapid.StringOfN(rapid.RuneFrom([]rune("0019")), 0, 25, -1).Draw(t, "fraction")
	}
	if rapid.Bool().Draw(t, "has an exponent") {
		text += rapid.SampledFrom([]string{"e", "E", "e+", "e-"}).Draw(t, "e") + strconv.Itoa(rapid.IntRange(0, 40).Draw(t, "exponent"))
	}
	return text
}

// TestDecimalNaive: what is written as BigDecimal writes it has the same value,
// and what is cut off is the whole part.
func TestDecimalNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := decimalText(t)
		// big.Rat wants a digit behind the point.
		value, ok := new(big.Rat).SetString(strings.NewReplacer(".e", ".0e", ".E", ".0E").Replace(text + strings.Repeat("0", len(text)-len(strings.TrimSuffix(text, ".")))))
		if !ok {
			t.Skip(text)
		}
		written, ok := appendDecimal([]byte("x"), []byte(text))
		if !ok || written[0] != 'x' {
			t.Fatalf("%s: written as %q, %t", text, written, ok)
		}
		again, ok := new(big.Rat).SetString(string(written[1:]))
		if !ok || again.Cmp(value) != 0 {
			t.Fatalf("%s is written as %s", text, written[1:])
		}
		whole := new(big.Int).Quo(value.Num(), value.Denom())
		got, ok := truncate([]byte(text))
		if ok != whole.IsInt64() || ok && got != whole.Int64() {
			t.Fatalf("%s: cut off to %d, %t; want %s", text, got, ok, whole)
		}
	})
}

// TestUnescapeNaive: a string that encoding/json reads means the same here.
func TestUnescapeNaive(t *testing.T) {
	t.Parallel()
	pieces := []string{
		`a`, `主`, `😀`, `\n`, `\"`, `\\`, `\/`, `\b`, `\f`, `\r`, `\t`, `\u0041`, `\u00e9`, `\u4E3B`, `\ud83d\ude00`, `\uD800`, `\udfff`, ` `, `'`, `{`, `\u0000`,
	}
	rapid.Check(t, func(t *rapid.T) {
		text := `"` + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 20).Draw(t, "pieces"), "") + `"`
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		r := readerOf(text + ",")
		got := r.quoted('"')
		if string(got) != want || rest(r) != "," {
			t.Fatalf("%s: got %q, left %q; want %q", text, got, rest(r), want)
		}
		// The size that is reserved is enough, and not more than the text.
		if size := unescapedSize([]byte(text[1:]), 0, '"'); size < len(got) || size > len(text)-2 {
			t.Fatalf("%s: %d bytes reserved for %d", text, size, len(got))
		}
		if name, ok := readerOf(text+":1").name('"', wordNames); !ok || string(name) != want {
			t.Fatalf("%s: as a name %q, %t; want %q", text, name, ok, want)
		}
	})
}

// TestValuesNaive: JSON that encoding/json writes is stepped over to its end,
// and means the same when it is written again.
func TestValuesNaive(t *testing.T) {
	t.Parallel()
	scalars := rapid.OneOf(
		rapid.Map(anyText, func(s string) any { return strings.ToValidUTF8(s, "?") }),
		rapid.Map(rapid.Int32(), func(n int32) any { return float64(n) }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	)
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return scalars
		}
		return rapid.OneOf(scalars,
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 4), func(l []any) any { return l }),
			rapid.Map(rapid.MapOfN(anyText, value(depth-1), 0, 4), func(m map[string]any) any { return m }))
	}
	rapid.Check(t, func(t *rapid.T) {
		text, err := json.Marshal(value(3).Draw(t, "value"))
		if err != nil {
			t.Skip(err)
		}
		r := readerOf(string(text) + ",")
		if r.skip(); rest(r) != "," {
			t.Fatalf("%s: left %q", text, rest(r))
		}
		r = readerOf(string(text) + ",")
		again := r.appendValue(nil)
		var got, want any
		if err := json.Unmarshal(again, &got); err != nil || json.Unmarshal(text, &want) != nil || rest(r) != "," {
			t.Fatalf("%s: written as %s, %v, left %q", text, again, err, rest(r))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: written as %s", text, again)
		}
	})
}

// TestSmartNameNaive: lower case without dashes and underscores, if that has 32
// bytes at most.
func TestSmartNameNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := almost("abzABZ09_-@[`{É", 60).Draw(t, "name")
		want := strings.NewReplacer("_", "", "-", "").Replace(name)
		want = strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}, want)
		if len(want) > 32 {
			want = ""
		}
		var buf [32]byte
		if got := string(smartName(&buf, []byte(name))); got != want {
			t.Fatalf("%s: got %s, want %s", name, got, want)
		}
	})
}

// TestWithoutNullsNaive: a map to which the fields are put in their order, of
// which null takes out what was there.
func TestWithoutNullsNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var e ExtFields
		want := map[string]string{}
		for range rapid.IntRange(0, 12).Draw(t, "fields") {
			name := almost("ab", 2).Draw(t, "name")
			if rapid.Bool().Draw(t, "null") {
				e = append(e, ExtField{Name: []byte(name)})
				delete(want, name)
				continue
			}
			value := almost("xyz", 2).Draw(t, "value")
			e = append(e, ExtField{Name: []byte(name), Value: []byte(value)})
			want[name] = value
		}
		kept := slices.Clone(e).withoutNulls()
		for _, f := range kept {
			if f.Value == nil {
				t.Fatalf("%s: a null is left: %s", show(e), show(kept))
			}
		}
		for _, name := range []string{"", "a", "b", "aa", "ab", "ba", "bb"} {
			got, ok := kept.Get(name)
			if value, there := want[name]; ok != there || string(got) != value {
				t.Fatalf("%s: %q is %q, %t; want %q, %t", show(e), name, got, ok, value, there)
			}
		}
	})
}

// TestSortedByKeyNaive: a map read back in the order of its keys.
func TestSortedByKeyNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Field {
			return Field{almost("abc", 2).Draw(t, "name"), almost("xyz", 2).Draw(t, "value")}
		}), 0, 10).Draw(t, "fields")
		m := map[string]string{}
		for _, f := range fields {
			m[f.Name] = f.Value
		}
		var want []Field
		for _, name := range slices.Sorted(maps.Keys(m)) {
			want = append(want, Field{name, m[name]})
		}
		got := sortedByKey(slices.Clone(fields), func(a, b *Field) int { return strings.Compare(a.Name, b.Name) })
		if !slices.Equal(got, want) {
			t.Fatalf("%q: got %q, want %q", fields, got, want)
		}
		// The same through a body, which a map of Java's may come in.
		body := append([]byte(`{"configTable":{"ns":`), appendFields(nil, fields, DialectLegacy)...)
		var table KVConfigTable
		if err := table.Decode(append(body, "}}"...)); err != nil || !slices.Equal(table.Namespaces[0].Entries, want) {
			t.Fatalf("%q: %v, read as %q, want %q", fields, err, table.Namespaces, want)
		}
	})
}

// TestSkipPlainNaive: byte by byte.
func TestSkipPlainNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.SliceOfN(rapid.SampledFrom([]byte("!#[]~ \x7fabcdefgh\"\\\x1f\x00\x80\xff")), 0, 40).Draw(t, "text"))
		from := rapid.IntRange(0, len(b)).Draw(t, "from")
		want := from
		for want < len(b) && b[want] != '"' && b[want] != '\\' && b[want] >= 0x20 && b[want] < 0x80 {
			want++
		}
		if got := skipPlain(b, from); got != want {
			t.Fatalf("%q from %d: got %d, want %d", b, from, got, want)
		}
	})
}

// TestValidTextNaive: Go's conversion to runes follows the same rule.
func TestValidTextNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte("ab\xc3\xa9\xe4\xb8\xbb\xf0\x9f\x98\x80\xff\xed")), 0, 20).Draw(t, "text")
		want := string([]rune(string(b)))
		if got := string(validText(b)); got != want {
			t.Fatalf("%q: got %q, want %q", b, got, want)
		}
		if got := string(readerOf("").validText(bytes.Clone(b))); got != want {
			t.Fatalf("%q: the reader makes %q of it, want %q", b, got, want)
		}
		// The writer replaces the same bytes.
		var read string
		if err := json.Unmarshal(appendString(nil, b, DialectStrict), &read); err != nil || read != want {
			t.Fatalf("%q: written and read again %q, %v; want %q", b, read, err, want)
		}
	})
}

// TestQueueMappingsNaive: the map of queue numbers, however it is written.
func TestQueueMappingsNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOfN(rapid.Int32(), rapid.Int32(), 0, 6).Draw(t, "map")
		var text []string
		for logic, physical := range want {
			key := rapid.SampledFrom([]string{`%d`, `"%d"`, `'%d'`}).Draw(t, "key")
			value := rapid.SampledFrom([]string{`%d`, `"%d"`, `%d.5`, `"%d.0"`}).Draw(t, "value")
			text = append(text, fmt.Sprintf(key+":"+value, logic, physical))
		}
		r := readerOf("{" + strings.Join(text, ",") + "}")
		ids := r.queueIDs()
		got := map[int32]int32{}
		for i, id := range ids {
			got[id.Logic] = id.Physical
			if i > 0 && ids[i-1].Logic >= id.Logic {
				t.Fatalf("%s: %v is not in order", text, ids)
			}
		}
		if !maps.Equal(got, want) || rest(r) != "" {
			t.Fatalf("%s: got %v, left %q; want %v", text, ids, rest(r), want)
		}
	})
}
