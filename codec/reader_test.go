package codec

import (
	"math"
	"strings"
	"testing"
)

// readerOf returns a reader at the first byte of text.
func readerOf(text string) *jsonReader {
	var r jsonReader
	r.begin([]byte(text))
	return &r
}

// rest returns what r has not read, or how it failed.
func rest(r *jsonReader) string {
	if r.err != nil {
		reason, _, _ := strings.Cut(r.err.reason, ", near ")
		return "error: " + reason
	}
	return string(r.b[r.i:])
}

// TestReaderSpace: what stands between values. Java: JSONLexerBase#skipWhitespace,
// #skipComment.
func TestReaderSpace(t *testing.T) {
	for _, tt := range []struct{ in, rest string }{
		{"", ""},
		{"x", "x"},
		{" \t\n\r\f\bx", "x"},
		{"\vx", "\vx"},
		{"\u00a0x", "\u00a0x"},
		{"\x00x", "\x00x"},
		{"//\nx", "x"},
		{"// a\r\n//b\nx", "x"},
		{"//", ""},
		{"// no end", ""},
		{"/**/x", "x"},
		{"/***/x", "x"},
		{"/* * / */x", "x"},
		{"/* \n */ /*b*/x", "x"},
		{"/*/x", "error: unfinished comment"},
		{"/*/*/x", "x"},
		{"/* *", "error: unfinished comment"},
		{"/*", "error: unfinished comment"},
		{"/", "error: unfinished comment"},
		{"/x", "error: unfinished comment"},
		{"# x", "# x"},
	} {
		r := readerOf(tt.in)
		r.space()
		if got := rest(r); got != tt.rest {
			t.Errorf("%q: left %q, want %q", tt.in, got, tt.rest)
		}
	}
}

// TestReaderEnd: what may follow a value. Java: DefaultJSONParser#close.
func TestReaderEnd(t *testing.T) {
	for _, tt := range []struct {
		in string
		ok bool
	}{
		{"", true},
		{" \n\t", true},
		{"\x00", true},
		{"\x00\x00 \x00", true},
		{" // done", true},
		{"/* done */\x00", true},
		{",", false},
		{";", false},
		{"}", false},
		{"\x00}", false},
		{"\x01", false},
		{"/*", false},
	} {
		r := readerOf(tt.in)
		r.end()
		if (r.err == nil) != tt.ok {
			t.Errorf("%q: %v", tt.in, r.err)
		}
	}
}

// TestReaderWords: bare names, as far as Java takes them for one.
// Java: JSONLexerBase#scanSymbolUnQuoted.
func TestReaderWords(t *testing.T) {
	for _, tt := range []struct{ in, word, rest string }{
		{"a:", "a", ":"},
		{"aZ_$09:", "aZ_$09", ":"},
		{"_:", "_", ":"},
		{"$ref:", "$ref", ":"},
		{"a b:", "a", " b:"},
		{"a-b:", "a", "-b:"},
		{"a.b:", "a", ".b:"},
		{"a@:", "a", "@:"},
		{"a[:", "a", "[:"},
		{"a`:", "a", "`:"},
		{"a{:", "a", "{:"},
		{"é:", "", "error: not a name"},
		{"aé:", "a", "é:"},
		{"a\u0100b:", "a\u0100b", ":"},
		{"主题9:", "主题9", ":"},
		{"9a:", "", "error: not a name"},
		{"-1:", "", "error: not a name"},
		{":", "", "error: not a name"},
		{"", "", "error: not a name"},
		{"\"a\":", "", "error: not a name"},
	} {
		r := readerOf(tt.in)
		word := r.word()
		if got := rest(r); string(word) != tt.word || got != tt.rest {
			t.Errorf("%q: word %q, left %q; want %q, %q", tt.in, word, got, tt.word, tt.rest)
		}
	}
}

// TestReaderLiterals: a literal ends where a word would.
func TestReaderLiterals(t *testing.T) {
	for _, tt := range []struct {
		in   string
		null bool
		rest string
	}{
		{"null", true, ""},
		{"null,", true, ","},
		{"null}", true, "}"},
		{" null ", true, " "},
		{"undefined]", true, "]"},
		{"NaN/**/", true, "/**/"},
		{"nul", false, "nul"},
		{"nulls", false, "nulls"},
		{"null9", false, "null9"},
		{"null_", false, "null_"},
		{"null主", false, "null主"},
		{"null\x80", false, "null\x80"},
		{"null-", true, "-"},
		{"Null", false, "Null"},
		{"NULL", false, "NULL"},
		{"nan", false, "nan"},
		{"undefine", false, "undefine"},
		{"true", false, "true"},
		{"", false, ""},
	} {
		r := readerOf(tt.in)
		null := r.null()
		if got := rest(r); null != tt.null || got != tt.rest {
			t.Errorf("%q: null %t, left %q; want %t, %q", tt.in, null, got, tt.null, tt.rest)
		}
	}
}

// TestReaderStrings: what stands between quotes, and what each escape means.
// Java: JSONLexerBase#scanString.
func TestReaderStrings(t *testing.T) {
	for _, tt := range []struct{ in, text, rest string }{
		{`"":`, ``, `:`},
		{`'':`, ``, `:`},
		{`"a'b"`, `a'b`, ``},
		{`'a"b'`, `a"b`, ``},
		{`"eight by" `, `eight by`, ` `},
		{`"nine bytes`, ``, `error: unfinished string`},
		{`"`, ``, `error: unfinished string`},
		{`"a'`, ``, `error: unfinished string`},
		{`"a\`, ``, `error: unfinished string`},
		{`"a\"`, ``, `error: unfinished string`},
		{`"a\\"x`, `a\`, `x`},
		{`"\"\'\/"`, `"'/`, ``},
		{`'\"\''`, `"'`, ``},
		{`"\b\t\n\v\f\F\r"`, "\b\t\n\v\f\f\r", ``},
		{`"\0\1\2\3\4\5\6\7"`, "\x00\x01\x02\x03\x04\x05\x06\x07", ``},
		{`"\8"`, ``, `error: unknown escape`},
		{`"\a"`, ``, `error: unknown escape`},
		{`"\B"`, ``, `error: unknown escape`},
		{`"\ "`, ``, `error: unknown escape`},
		{`"\` + "\n" + `"`, ``, `error: unknown escape`},
		{`"\x41\xFf\x00"`, "A\u00ff\x00", ``},
		{`"\x4"`, ``, `error: bad \x escape`},
		{`"\xg0"`, ``, `error: bad \x escape`},
		{`"\x0g"`, ``, `error: bad \x escape`},
		{`"\x4`, ``, `error: bad \x escape`},
		{`"\X41"`, ``, `error: unknown escape`},
		{`"\u0041\u00e9\u4E3b"`, "Aé主", ``},
		{`"\u004"`, ``, `error: bad \u escape`},
		{`"\u004`, ``, `error: bad \u escape`},
		{`"\uG041"`, ``, `error: bad \u escape`},
		{`"\u004g"`, ``, `error: bad \u escape`},
		{`"\u 041"`, ``, `error: bad \u escape`},
		{`"\u-041"`, ``, `error: bad \u escape`},
		{`"\ud83d\ude00"`, "😀", ``},
		{`"\ud800\udc00\udbff\udfff"`, "\U00010000\U0010FFFF", ``},
		{`"\ud83d"`, "\uFFFD", ``},
		{`"\ude00\ud83d"`, "\uFFFD\uFFFD", ``},
		{`"\ud83d\u0041"`, "\uFFFDA", ``},
		{`"\ud83d\ud83d\ude00"`, "\uFFFD😀", ``},
		{`"\ud83d\n"`, "\uFFFD\n", ``},
		{`"\ud83d\uzzzz"`, ``, `error: bad \u escape`},
		{`"\ud7ff\ue000"`, "\ud7ff\ue000", ``},
		{"\"a\x00\n\x1fb\"", "a\x00\n\x1fb", ``},
		{"\"a\xffb\"", "a\xffb", ``},
	} {
		r := readerOf(tt.in)
		text := r.quoted(tt.in[0])
		if got := rest(r); string(text) != tt.text || got != tt.rest {
			t.Errorf("%s: got %q, left %q; want %q, %q", tt.in, text, got, tt.text, tt.rest)
		}
	}
}

// TestReaderNumbers: the text of a number, and whether it is one of Java's
// BigDecimal. Java: JSONLexerBase#scanNumber.
func TestReaderNumbers(t *testing.T) {
	for _, tt := range []struct {
		in, text string
		float    bool
		rest     string
	}{
		{"0,", "0", false, ","},
		{"-0}", "-0", false, "}"},
		{"+7]", "7", false, "]"},
		{"007 ", "007", false, " "},
		{"1.5;", "1.5", true, ";"},
		{"5.,", "5.", true, ","},
		{"1e5", "1e5", true, ""},
		{"1E+5", "1E+5", true, ""},
		{"-1.5e-05/", "-1.5e-05", true, "/"},
		{"+.5", "", false, "error: not a number"},
		{".5", "", false, "error: not a number"},
		{"-", "", false, "error: not a number"},
		{"+", "", false, "error: not a number"},
		{"--1", "", false, "error: not a number"},
		{"1e", "", false, "error: exponent without digits"},
		{"1e+", "", false, "error: exponent without digits"},
		{"1e-x", "", false, "error: exponent without digits"},
		{"1.2.3", "", false, "error: not a number"},
		{"1a", "", false, "error: not a number"},
		{"0x10", "", false, "error: not a number"},
		{"1L", "", false, "error: not a number"},
		{"1.5F", "", false, "error: not a number"},
		{"1_000", "", false, "error: not a number"},
		{"1$", "", false, "error: not a number"},
		{"1e5e5", "", false, "error: not a number"},
		{"1e5.", "", false, "error: not a number"},
		{"1-2", "1", false, "-2"},
		{"1\"", "1", false, "\""},
	} {
		r := readerOf(tt.in)
		text, float := r.number()
		if got := rest(r); string(text) != tt.text || float != tt.float || got != tt.rest {
			t.Errorf("%s: %q, float %t, left %q; want %q, %t, %q", tt.in, text, float, got, tt.text, tt.float, tt.rest)
		}
	}
}

// TestReaderInts: all the ways in which a peer may write an int.
// Java: IntegerCodec#deserialze, TypeUtils#castToInt.
func TestReaderInts(t *testing.T) {
	const bad = "error: not a number, or out of range"
	for _, tt := range []struct {
		in   string
		want int64
		ok   bool
		rest string
	}{
		{"12,", 12, true, ","},
		{"-2147483648", math.MinInt32, true, ""},
		{"2147483647", math.MaxInt32, true, ""},
		{"-2147483649", 0, false, bad},
		{"2147483648", 0, false, bad},
		{"99999999999999999999", 0, false, bad},
		{"2147483647.999", math.MaxInt32, true, ""},
		{"2147483648.0", 0, false, bad},
		{"-2147483648.9", math.MinInt32, true, ""},
		{"1.9", 1, true, ""},
		{"-1.9", -1, true, ""},
		{"21e8", 2100000000, true, ""},
		{"22e8", 0, false, bad},
		{"1e999999999999", 0, false, bad},
		{`"12"`, 12, true, ""},
		{`'+12'`, 12, true, ""},
		{`"-012"`, -12, true, ""},
		{`"1,234,567"`, 1234567, true, ""},
		{`",1,"`, 1, true, ""},
		{`","`, 0, false, bad},
		{`"12.000"`, 12, true, ""},
		{`"12."`, 12, true, ""},
		{`"12.001"`, 0, false, bad},
		{`"12.0.0"`, 0, false, bad},
		{`".0"`, 0, false, bad},
		{`"1e2"`, 0, false, bad},
		{`" 1"`, 0, false, bad},
		{`"0x1"`, 0, false, bad},
		{`"2147483648"`, 0, false, bad},
		{`""`, 0, false, ""},
		{`"null"`, 0, false, ""},
		{`"NULL"`, 0, false, ""},
		{`"Null"`, 0, false, bad},
		{"null", 0, false, ""},
		{"NaN", 0, false, ""},
		{"undefined", 0, false, ""},
		{"true", 1, true, ""},
		{"false", 0, true, ""},
		{"True", 0, false, bad},
		{"{}", 0, false, bad},
		{"[1]", 0, false, bad},
		{"", 0, false, bad},
	} {
		r := readerOf(tt.in)
		v, ok := r.int64(math.MinInt32, math.MaxInt32)
		if got := rest(r); v != tt.want || ok != tt.ok || got != tt.rest {
			t.Errorf("%s: %d, %t, left %q; want %d, %t, %q", tt.in, v, ok, got, tt.want, tt.ok, tt.rest)
		}
		// A member keeps what it has if the value is null, and only then.
		member := int32(77)
		if readerOf(tt.in).intMember(&member); tt.ok && int64(member) != tt.want || !tt.ok && member != 77 {
			t.Errorf("%s: a member of 77 becomes %d", tt.in, member)
		}
	}
}

// TestReaderBools: all the ways in which a peer may write a boolean.
// Java: BooleanCodec#deserialze, TypeUtils#castToBoolean.
func TestReaderBools(t *testing.T) {
	const bad = "error: not a boolean"
	for _, tt := range []struct {
		in      string
		want    bool
		ok      bool
		failure string
	}{
		{"true", true, true, ""},
		{"false", false, true, ""},
		{"1", true, true, ""},
		{"0", false, true, ""},
		{"2", false, true, ""},
		{"-1", false, true, ""},
		{"1.9", true, true, ""},
		{"0.1e1", true, true, ""},
		{"99999999999999999999", false, false, bad},
		{"1e30", false, false, bad},
		{`"true"`, true, true, ""},
		{`'TRUE'`, true, true, ""},
		{`"tRUE"`, true, true, ""},
		{`"1"`, true, true, ""},
		{`"Y"`, true, true, ""},
		{`"t"`, true, true, ""},
		{`"false"`, false, true, ""},
		{`"FALSE"`, false, true, ""},
		{`"0"`, false, true, ""},
		{`"n"`, false, true, ""},
		{`"F"`, false, true, ""},
		{`"yes"`, false, false, bad},
		{`"no"`, false, false, bad},
		{`"2"`, false, false, bad},
		{`"truE "`, false, false, bad},
		{`""`, false, false, ""},
		{`"null"`, false, false, ""},
		{`"NULL"`, false, false, ""},
		{"null", false, false, ""},
		{"TRUE", false, false, bad},
		{"[]", false, false, bad},
		{"", false, false, bad},
	} {
		r := readerOf(tt.in)
		v, ok := r.bool()
		if got := rest(r); v != tt.want || ok != tt.ok || got != tt.failure {
			t.Errorf("%s: %t, %t, %q; want %t, %t, %q", tt.in, v, ok, got, tt.want, tt.ok, tt.failure)
		}
	}
}

// TestReaderTexts: any value where a string is due. Java: StringCodec#deserialze.
func TestReaderTexts(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string
		null bool
		rest string
	}{
		{`"a",`, "a", false, ","},
		{`''`, "", false, ""},
		{`"null"`, "null", false, ""},
		{"null", "", true, ""},
		{"NaN", "", true, ""},
		{"12", "12", false, ""},
		{"-007", "-007", false, ""},
		{"1.50", "1.50", false, ""},
		{"1e99999999999", "", true, "error: exponent out of range"},
		{"true", "true", false, ""},
		{"false]", "false", false, "]"},
		{"maybe", "", false, "error: not a value"},
		{"x'41'", "", false, "error: not a value"},
		{"", "", false, "error: not a value"},
		{`{}`, "{}", false, ""},
		{`[]`, "[]", false, ""},
		{`[1, 'a' ,null,[ ],{}]`, `[1,"a",null,[],{}]`, false, ""},
		{`{'b':1,a:2,b:3}`, `{"b":1,"a":2,"b":3}`, false, ""},
		{`{"a":null,"b":undefined,"c":0}`, `{"c":0}`, false, ""},
		{`{1:2,-3:4,5.0:6}`, `{"1":2,"-3":4,"5.0":6}`, false, ""},
		{`{"a/b":"c/d"}`, `{"a/b":"c/d"}`, false, ""},
		{"[\"\u4e3b\\n\u2028\"]", "[\"\u4e3b\\n\\u2028\"]", false, ""},
		{"\"a\xff\"", "a\uFFFD", false, ""},
		{"[\"a\xff\"]", "[\"a\uFFFD\"]", false, ""},
		{"{\"a\xff\":1}", "{\"a\uFFFD\":1}", false, ""},
		{`[1e2]`, "[1E+2]", false, ""},
		{`[1e99999999999]`, "", false, "error: exponent out of range"},
		{`[1`, "", false, "error: unexpected end"},
		{`[1 2]`, "", false, "error: missing comma"},
		{`{"a"}`, "", false, "error: missing colon"},
	} {
		r := readerOf(tt.in)
		text := r.text()
		got := rest(r)
		if got != tt.rest || r.err == nil && (string(text) != tt.want || (text == nil) != tt.null) {
			t.Errorf("%s: %q (nil: %t), left %q; want %q (nil: %t), %q", tt.in, text, text == nil, got, tt.want, tt.null, tt.rest)
		}
	}
}

// TestReaderLists: commas, too many of them and too few, in objects and arrays.
// Java: DefaultJSONParser#parseArray, #parseObject; Feature.AllowArbitraryCommas.
func TestReaderLists(t *testing.T) {
	for _, tt := range []struct{ in, rest string }{
		{`[]x`, "x"},
		{`[,]x`, "x"},
		{`[;,;]x`, "x"},
		{`[1,2]x`, "x"},
		{`[,1,,2,]x`, "x"},
		{`[1;2]x`, "x"},
		{`[1 2]`, "error: missing comma"},
		{`[[]1]`, "error: missing comma"},
		{`["a""b"]`, "error: missing comma"},
		{`[1}`, "error: missing comma"},
		{`[}`, "error: not a value"},
		{`[`, "error: unexpected end"},
		{`[1,`, "error: unexpected end"},
		{`{}x`, "x"},
		{`{,;}x`, "x"},
		{`{"a":1,,b:2;}x`, "x"},
		{`{"a":1"b":2}`, "error: missing comma"},
		{`{"a":[]b:2}`, "error: missing comma"},
		{`{"a":1]`, "error: missing comma"},
		{`{"a":}`, "error: not a value"},
		{`{"a",}`, "error: missing colon"},
		{`{"a"`, "error: missing colon"},
		{`{"a":`, "error: not a value"},
		{`{:1}`, "error: not a name"},
		{`{a:1`, "error: unexpected end"},
		{`{1:2,+3:4}`, "error: not a name"},
		{`{true:1,null:2}x`, "x"},
		{"[\x00]", "error: unexpected end"},
		{strings.Repeat("[", maxDepth+1), "error: nested too deep"},
		{strings.Repeat("{a:", maxDepth+1), "error: nested too deep"},
	} {
		r := readerOf(tt.in)
		r.skip()
		if got := rest(r); got != tt.rest {
			t.Errorf("%s: left %q, want %q", tt.in, got, tt.rest)
		}
		if r.err == nil && r.depth != 0 {
			t.Errorf("%s: depth is %d at the end", tt.in, r.depth)
		}
		// What steps over a value and what writes it again judge alike.
		again := readerOf(tt.in)
		again.appendValue(nil)
		if got := rest(again); got != tt.rest {
			t.Errorf("%s, written again: left %q, want %q", tt.in, got, tt.rest)
		}
	}
}

// TestReaderFailsOnce: the first failure is the one that is told, and ends all
// loops; what is read after it is nothing.
func TestReaderFailsOnce(t *testing.T) {
	r := readerOf(`[1,x,2]`)
	elements := 0
	for ok := r.array() && r.element(); ok; ok = r.element() {
		elements++
		r.intMember(new(int32))
	}
	if rest(r) != "error: not a number, or out of range" || elements != 2 {
		t.Errorf("%d elements, %v; want the second to fail", elements, r.err)
	}
	first := *r.err
	r.fail("something else")
	if text := r.text(); len(text) != 0 {
		t.Errorf("read %q after the failure", text)
	}
	if v, ok := r.int64(0, 10); v != 0 || ok {
		t.Errorf("read %d, %t after the failure", v, ok)
	}
	if v, ok := r.bool(); v || ok {
		t.Errorf("read %t, %t after the failure", v, ok)
	}
	if r.object() || r.array() || r.element() || r.room(0) {
		t.Error("goes on after the failure")
	}
	if _, ok := r.member(anyNames); ok {
		t.Error("finds a member after the failure")
	}
	if *r.err != first {
		t.Errorf("tells %v, want %v", r.err, &first)
	}
}

// TestSmartName: how fastjson compares names that no member has to the letter.
// Java: TypeUtils#fnv1a_64_extract.
func TestSmartName(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "",
		"code":                                "code",
		"extFields":                           "extfields",
		"EXT_FIELDS":                          "extfields",
		"_ext--Fields_":                       "extfields",
		"a b":                                 "a b",
		"A1$":                                 "a1$",
		"[@`{":                                "[@`{",
		"\xc9":                                "\xc9", // only ASCII is folded
		"__--":                                "",
		strings.Repeat("A", 32):               strings.Repeat("a", 32),
		strings.Repeat("A", 33):               "",
		strings.Repeat("-", 99) + "x":         "x",
		"topicQueueMappingInfoMap":            "topicqueuemappinginfomap",
		"topic_config_serialize_wrapper":      "topicconfigserializewrapper",
		"serializeTypeCurrentRPC_and_so_on_x": "serializetypecurrentrpcandsoonx",
	} {
		var buf [32]byte
		if got := string(smartName(&buf, []byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
