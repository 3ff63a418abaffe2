package codec

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendString(t *testing.T) {
	for _, tt := range []struct{ name, in, legacy, strict string }{
		{"plain", "abc-09_~", `"abc-09_~"`, `"abc-09_~"`},
		{"empty", "", `""`, `""`},
		{"short escapes", "\b\t\n\f\r", `"\b\t\n\f\r"`, `"\b\t\n\f\r"`},
		{"other control characters", "\x00\x01\x0b\x1f", `"\u0000\u0001\u000B\u001F"`, `"\u0000\u0001\u000B\u001F"`},
		{"quote and backslash", `a"b\c`, `"a\"b\\c"`, `"a\"b\\c"`},
		{"slash", "a/b", `"a/b"`, `"a\/b"`},
		{"not for HTML", "<>&'(`", "\"<>&'(`\"", "\"<>&'(`\""},
		{"U+007F to U+009F", "~\u007f\u0080\u009f", `"~\u007F\u0080\u009F"`, `"~\u007F\u0080\u009F"`},
		{"from U+00A0 on", "\u00a0éÿ主\uffff", "\"\u00a0éÿ主\uffff\"", `"\u00A0\u00E9\u00FF\u4E3B\uFFFF"`},
		{"line separators", "\u2027\u2028\u2029\u202a", "\"\u2027\\u2028\\u2029\u202a\"", `"\u2027\u2028\u2029\u202A"`},
		{"surrogate pair", "a😀b\U0010FFFF", "\"a😀b\U0010FFFF\"", `"a\uD83D\uDE00b\uDBFF\uDFFF"`},
		{"not UTF-8", "a\xffb\xe4\xb8c\xed\xa0\x80", "\"a\uFFFDb\uFFFD\uFFFDc\uFFFD\uFFFD\uFFFD\"", `"a\uFFFDb\uFFFD\uFFFDc\uFFFD\uFFFD\uFFFD"`},
		{"replacement character", "\uFFFD", "\"\uFFFD\"", `"\uFFFD"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(appendString(nil, tt.in, DialectLegacy)); got != tt.legacy {
				t.Errorf("legacy: got %s, want %s", got, tt.legacy)
			}
			if got := string(appendString([]byte("x"), []byte(tt.in), DialectStrict)); got != "x"+tt.strict {
				t.Errorf("strict: got %s, want %s", got, tt.strict)
			}
		})
	}
}

// TestAppendStringEveryUnit says the rule again, for every code point of the
// basic plane.
func TestAppendStringEveryUnit(t *testing.T) {
	short := map[rune]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}
	for u := range rune(0x10000) {
		if 0xD800 <= u && u < 0xE000 {
			continue
		}
		code := fmt.Sprintf(`\u%04X`, u)
		legacy, strict := string(u), string(u)
		switch {
		case short[u] != "":
			legacy, strict = short[u], short[u]
		case u == '/':
			strict = `\/`
		case u < 0x20 || u == 0x7F || 0x80 <= u && u < 0xA0 || u == 0x2028 || u == 0x2029:
			legacy, strict = code, code
		case u >= 0xA0:
			strict = code
		}
		if got := string(appendString(nil, string(u), DialectLegacy)); got != `"`+legacy+`"` {
			t.Errorf("U+%04X legacy: got %s, want %s", u, got, legacy)
		}
		if got := string(appendString(nil, string(u), DialectStrict)); got != `"`+strict+`"` {
			t.Errorf("U+%04X strict: got %s, want %s", u, got, strict)
		}
	}
}

func TestSkipPlain(t *testing.T) {
	for _, stop := range []byte{'"', '\\', 0, 0x1F, '\n', 0x80, 0xFF} {
		for before := range 40 {
			for after := range 10 {
				// Neighbours of the bytes that stop are those a borrow could hit.
				b := []byte(strings.Repeat("!# [].~", 10)[:before])
				b = append(append(b, stop), strings.Repeat("\"\\\x00!", 3)[:after]...)
				if got := skipPlain(b, 0); got != before {
					t.Fatalf("%q: got %d, want %d", b, got, before)
				}
				if got := skipPlain(b[:before], 0); got != before {
					t.Fatalf("%q: got %d, want %d", b[:before], got, before)
				}
			}
		}
	}
}

func TestDecimalText(t *testing.T) {
	for in, want := range map[string]string{ // as Java's new BigDecimal(in).toString() says
		"1.50": "1.50", "1e5": "1E+5", "0.0": "0.0", "0e0": "0", "-0.5": "-0.5", "00.50": "0.50", "0.000001": "0.000001", "0.0000001": "1E-7",
		"12.5e-9": "1.25E-8", "123e3": "1.23E+5", "1e-6": "0.000001", "10e-7": "0.0000010", "0e5": "0E+5", "-0e5": "0E+5", "0.00e-5": "0E-7",
		"5.": "5", "-1.5E2": "-1.5E+2", "1.5e1": "15", "1e2147483647": "1E+2147483647",
	} {
		if got, ok := appendDecimal(nil, []byte(in)); string(got) != want || !ok {
			t.Errorf("%s: got %s, %t; want %s", in, got, ok, want)
		}
	}
	for _, in := range []string{"1e2147483649", "1e99999999999999999999", "1.5e-2147483648"} {
		if got, ok := appendDecimal(nil, []byte(in)); ok {
			t.Errorf("%s: got %s, want a refusal", in, got)
		}
	}
}

func TestTruncate(t *testing.T) {
	for in, want := range map[string]int64{
		"5.7": 5, "-5.7": -5, "0.9": 0, "1e2": 100, "1.999e3": 1999, "12345e-3": 12, "1e-400": 0, "0e400": 0, "9223372036854775807.9": math.MaxInt64,
		"-9223372036854775808.9": math.MinInt64, "00012.5": 12, "9.2e18": 9200000000000000000,
	} {
		if got, ok := truncate([]byte(in)); got != want || !ok {
			t.Errorf("%s: got %d, %t; want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"9223372036854775808.0", "1e19", "1e400", "-1e19", "1e999999999999"} {
		if got, ok := truncate([]byte(in)); ok {
			t.Errorf("%s: got %d, want a refusal", in, got)
		}
	}
}

func TestDepthIsBounded(t *testing.T) {
	for _, tt := range []struct {
		depth int
		ok    bool
	}{{maxDepth, true}, {maxDepth + 1, false}, {1 << 20, false}} {
		for _, pair := range []string{"[]", "{}"} {
			inner := pair[:1]
			if pair == "{}" {
				inner = `{"a":`
			}
			in := strings.Repeat(inner, tt.depth-1) + pair + strings.Repeat(pair[1:], tt.depth-1)
			for _, read := range []func(*jsonReader){(*jsonReader).skip, func(r *jsonReader) { r.appendValue(nil) }} {
				var r jsonReader
				r.begin([]byte(in))
				read(&r)
				r.end()
				if (r.err == nil) != tt.ok {
					t.Errorf("%d times %s: %v", tt.depth, pair, r.err)
				}
			}
		}
	}
}

// FuzzRouteDataString checks that both dialects can be read again, the strict
// one by encoding/json too.
func FuzzRouteDataString(f *testing.F) {
	f.Add("10.0.0.1:10911", "群组/c", int64(0))
	f.Add("\x00\x1f\u007f\u0085\u2028", "a\xff\xed\xa0\x80😀", int64(-1))
	f.Fuzz(func(t *testing.T, a, b string, id int64) {
		d := TopicRouteData{
			BrokerDatas:       []BrokerData{{Cluster: a, BrokerName: b, BrokerAddrs: []BrokerAddr{{id, a}}, ZoneName: b, HasZoneName: true}},
			FilterServerTable: []FilterServers{{a, []string{b, a}}},
			QueueDatas:        []QueueData{{BrokerName: b}},
		}
		legacy, strict := d.AppendJSON(nil, DialectLegacy), d.AppendJSON(nil, DialectStrict)
		if !utf8.Valid(legacy) || !json.Valid(strict) {
			t.Fatalf("legacy %q\nstrict %q", legacy, strict)
		}
		wantA, wantB := string(validText([]byte(a))), string(validText([]byte(b)))
		for _, body := range [][]byte{legacy, strict} {
			var got TopicRouteData
			if err := got.Decode(body); err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			bd := got.BrokerDatas[0]
			if bd.Cluster != wantA || bd.BrokerName != wantB || bd.BrokerAddrs[0].Addr != wantA || bd.BrokerAddrs[0].ID != id || got.FilterServerTable[0].Addr != wantA {
				t.Errorf("%q: got %+v; want %q and %q", body, got, wantA, wantB)
			}
		}
		var std struct {
			BrokerDatas []struct{ Cluster, BrokerName string }
		}
		if err := json.Unmarshal(strict, &std); err != nil || std.BrokerDatas[0].Cluster != wantA || std.BrokerDatas[0].BrokerName != wantB {
			t.Errorf("encoding/json reads %s as %+v, %v", strict, std, err)
		}
	})
}
