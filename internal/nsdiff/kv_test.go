package nsdiff

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

func kvTable(keysAndValues ...string) *codec.KVTable {
	t := &codec.KVTable{}
	for i := 0; i < len(keysAndValues); i += 2 {
		t.Entries = append(t.Entries, codec.Field{Name: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	return t
}

// TestKV: a key that one lacks and a value that differs are found, of servers that are known.
func TestKV(t *testing.T) {
	long := strings.Repeat("x", shownValue)
	for _, c := range []struct {
		name string
		said []*codec.KVTable
		want []Difference
	}{
		{"nothing", []*codec.KVTable{kvTable(), kvTable()}, nil},
		{"the same", []*codec.KVTable{kvTable("a", "1", "b", ""), kvTable("a", "1", "b", "")}, nil},
		{"one is not known", []*codec.KVTable{kvTable("a", "1"), nil}, nil},
		{
			"a new server",
			[]*codec.KVTable{kvTable("a", "1", "b", ""), kvTable()},
			[]Difference{{Name: "n a", Said: []Value{There("1"), Absent}}, {Name: "n b", Said: []Value{There(""), Absent}}},
		},
		{
			"of three",
			[]*codec.KVTable{kvTable("b", "1"), nil, kvTable("a", "2", "b", "2"), kvTable("a", "2", "b", "1", "c", "")},
			[]Difference{
				{Name: "n a", Said: []Value{Absent, {}, There("2"), There("2")}},
				{Name: "n b", Said: []Value{There("1"), {}, There("2"), There("1")}},
				{Name: "n c", Said: []Value{Absent, {}, Absent, There("")}},
			},
		},
		{
			"secrets",
			[]*codec.KVTable{kvTable("token", "x"), kvTable("token", "y"), kvTable("token", "x"), kvTable("token", ""), kvTable()},
			[]Difference{{Name: "n token", Said: []Value{There("secret 1"), There("secret 2"), There("secret 1"), There(""), Absent}}},
		},
		{
			"long values",
			[]*codec.KVTable{kvTable("a", long+"1"), kvTable("a", long+"2")},
			[]Difference{{Name: "n a", Said: []Value{There(ShownValue(long + "1")), There(ShownValue(long + "2"))}}},
		},
	} {
		got := KV("n", c.said)
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

// TestShownValue: a long value is cut between two letters, and told from another that begins
// alike.
func TestShownValue(t *testing.T) {
	short, letters := strings.Repeat("x", shownValue), "x"+strings.Repeat("ü", shownValue)
	if ShownValue(short) != short || ShownValue("") != "" {
		t.Errorf("%q is shown as %q", short, ShownValue(short))
	}
	a, b := ShownValue(letters+"1"), ShownValue(letters+"2")
	if a == b || len(a) > shownValue+60 || !strings.HasPrefix(a, "xü") || !strings.Contains(a, "ü… (258 bytes, checksum ") || strings.ContainsRune(a, '\uFFFD') {
		t.Errorf("%q and %q", a, b)
	}
}

// TestKVFindsAll: what differs is found, and nothing else, whatever servers say.
func TestKVFindsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		worlds := make([]map[string]string, rapid.IntRange(2, 4).Draw(t, "servers"))
		said := make([]*codec.KVTable, len(worlds))
		for i := range worlds {
			if i > 0 && rapid.IntRange(0, 4).Draw(t, "unknown") == 0 {
				continue
			}
			worlds[i] = rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "ü", "a b", ""}), rapid.SampledFrom([]string{"", "1", "2"}), 0, 6).Draw(t, "entries")
			said[i] = &codec.KVTable{}
			for key, value := range worlds[i] {
				said[i].Entries = append(said[i].Entries, codec.Field{Name: key, Value: value})
			}
			slices.SortFunc(said[i].Entries, func(a, b codec.Field) int { return strings.Compare(a.Name, b.Name) })
		}
		var want []string
		for _, key := range []string{"", "a", "a b", "b", "c", "ü"} {
			seen := map[string]bool{}
			for i := range worlds {
				if value, ok := worlds[i][key]; worlds[i] != nil {
					seen[fmt.Sprint(ok, value)] = true
				}
			}
			if len(seen) > 1 {
				want = append(want, "n "+key)
			}
		}
		var got []string
		for _, d := range KV("n", said) {
			got = append(got, d.Name)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q of %v", got, want, worlds)
		}
	})
}
