package namesrv

import (
	"strings"
	"testing"
)

// TestHorizonFileFaults has mistakes in the file, each of which is named with its line.
func TestHorizonFileFaults(t *testing.T) {
	const good = `# comment
horizons:
  - name: outside
    match: { cidr: [0.0.0.0/0, "::/0"], except: [10.0.0.0/8, 127.0.0.0/8] }
    rewrite:
      - { broker: broker-a, id: 0, to: "mq-a.example.com:10911" }
      - broker: "*"
        cluster: c1
        to: "${broker}-${id}.mq.example.com:10911"
      - { from: "10.244.0.0/16:10911", to: "203.0.113.7:+20000" }
    missing: keep
    strict: false
  - name: endpoint
    match:
      proxyTLV: {type: 0xEA, value: vpce-0a1b}
      listener: 192.0.2.1:9877
      certificate: partner*
      cidr: 10.0.0.0/8
`
	hs, warnings, err := parseHorizons([]byte(good), nil)
	if err != nil || hs.Len() != 2 || len(warnings) != 0 {
		t.Fatal(hs.Len(), warnings, err)
	}
	for _, tc := range []struct{ from, to, want string }{
		{"except:", "exept:", `line 4: unknown key "exept"; match has certificate, cidr, except, listener, proxyTLV`},
		{"horizons:", "views:", `line 2: unknown key "views"; the file has horizons`},
		{"    missing: keep", "    mising: keep", `line 11: unknown key "mising"`},
		{"        cluster: c1", "        clusters: c1", `line 8: unknown key "clusters"`},
		{"{type: 0xEA, value", "{kind: 0xEA, value", `line 15: unknown key "kind"`},
		{"{type: 0xEA, value", "{type: 0x1EA, value", `line 13: proxyTLV: type is "0x1EA"`},
		{"strict: false", "strict: no", "line 12: strict must be true or false"},
		{"strict: false", "strict:", "line 12: there is no value"},
		{"strict: false", "strict: [true]", "line 12: there must be one text"},
		{"id: 0", "id: zero", "line 6: id is no whole number"},
		{"203.0.113.7:+20000", "203.0.113.7:x", "line 10: to:"},
		{"10.244.0.0/16:", "10.244.0.1/16:", "line 10: from:"},
		{"${id}", "${ID}", "line 7: to:"},
		{"10.0.0.0/8, ", "10.0.0.0/33, ", `line 3: except: "10.0.0.0/33"`},
		{"name: endpoint", "name: outside", "line 13: two horizons have the name"},
		{"missing: keep", "missing: kept", `line 3: missing is "kept"`},
		{"    missing: keep", "    missing: keep\n    missing: drop", "line 12: mapping key"},
		{"    missing: keep", "\tmissing: keep", "line 11: "},
		{"[0.0.0.0/0, ", "[0.0.0.0/0 ", "line 4: "},
		{good, "horizons: [{name: a, rewrite: 5}]\n", "line 1: rewrite must be a list"},
		{good, "", "line 1: want one document"},
		{good, "horizons: []\n---\nhorizons: []\n", "line 1: want one document"},
		{good, "horizons: 5\n", "line 1: horizons must be a list"},
		{good, "- 5\n", "line 1: the file must have keys and values"},
		{good, "horizons: [5]\n", "line 1: a horizon must have keys and values"},
		{good, "horizons: *a\n", "line 1: "},
		{good, "a: &a 5\nhorizons: [{name: *a}]\n", "line 1: unknown key"},
	} {
		text := strings.Replace(good, tc.from, tc.to, 1)
		if text == good {
			t.Errorf("%q is not in the file", tc.from)
		}
		_, _, err := parseHorizons([]byte(text), nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("with %q: error is %v, want %s", tc.to, err, tc.want)
		}
	}
	// All faults are said at once, and not more than a screen of them.
	text := strings.NewReplacer("except:", "exept:", "strict: false", "strict: no").Replace(good)
	if _, _, err := parseHorizons([]byte(text), nil); err == nil || strings.Count(err.Error(), "line ") != 2 {
		t.Errorf("error is %v, want two faults", err)
	}
	text = "horizons:\n" + strings.Repeat("  - { nam: x }\n", 1000)
	if _, _, err := parseHorizons([]byte(text), nil); err == nil || strings.Count(err.Error(), "line ") != maxYAMLFaults {
		t.Errorf("error is %v, want %d faults", err, maxYAMLFaults)
	}
}

// FuzzHorizonFile reads anything: it is refused, or makes horizons, and nothing panics.
func FuzzHorizonFile(f *testing.F) {
	f.Add("horizons: [{name: a, match: {cidr: 0.0.0.0/0}, rewrite: [{broker: '*', to: 'a:1'}]}]")
	f.Add("horizons:\n - name: &a b\n   match: *a\n")
	f.Add("? a\n: b")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		hs, _, err := parseHorizons([]byte(text), nil)
		if (hs == nil) == (err == nil) {
			t.Fatal(hs, err)
		}
	})
}
