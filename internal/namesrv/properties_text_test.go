package namesrv

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

// TestParseProperties reads what Java's documentation of Properties#load
// promises, and what its code does beyond. No text leaves a goroutine behind.
func TestParseProperties(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	type f = [2]string // key, value
	cases := []struct {
		name, text string
		want       []f
	}{
		{"nothing", "", nil},
		{"blank lines", "\n \t\f\r\n\r\r", nil},
		{"comments", "# a=1\n  ! b=2\n#c\\\nd=3", []f{{"d", "3"}}},
		{"separators", "a=1\nb:2\nc 3\nd\t=\f4\ne = = 5\nf:=6\ng==7\nh", []f{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", "= 5"}, {"f", "=6"}, {"g", "=7"}, {"h", ""}}},
		{"line ends", "a=1\rb=2\r\nc=3\n\rd=4", []f{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}},
		{"trailing blanks stay", "a = 1 \t ", []f{{"a", "1 \t "}}},
		{"continued", "a=1\\\n  2\\\r\n\t3\\\\\nb=4", []f{{"a", `123\`}, {"b", "4"}}},
		{"continued key", "a\\\n   b=1", []f{{"ab", "1"}}},
		{"continued by a comment", "a=1\\\n  #2", []f{{"a", "1#2"}}},
		{"continued by a blank line", "a=1\\\n\nb=2", []f{{"a", "1"}, {"b", "2"}}},
		{"continued by nothing", "a=1\\", []f{{"a", "1"}}},
		{"continued in an escape", "a=\\u00\\\r  41\\uD83D\\\n\\uDE00", []f{{"a", "A😀"}}},
		{"only a backslash", "\\\n\\\n", nil},                                              // Java: an empty key
		{"a comment after a backslash", "\\\n#a=1\n\\\r\n\\\r !b=2\nc=3", []f{{"c", "3"}}}, // not in Java 8
		{"escapes", `\t\r\n\f\\\q\u0041\u00e9\uD83D\uDE00=\t\r\n\f\\\q\"\=`, []f{{"\t\r\n\f\\qAé😀", "\t\r\n\f\\q\"="}}},
		{"escaped separators", `a\ b\:c\=d\#=1`, []f{{"a b:c=d#", "1"}}},
		{"escaped comment signs", `\#a=1` + "\n" + `\!b=2`, []f{{"#a", "1"}, {"!b", "2"}}},
		{"form feeds", "\fa\f1\f", []f{{"a", "1\f"}}},
		{"no references", "a=${b}\nb=${a}${", []f{{"a", "${b}"}, {"b", "${a}${"}}},
		{"byte order mark", "\xef\xbb\xbfa=1", []f{{"a", "1"}}}, // Java: a key ï»¿a
		{"byte order mark before a comment", "\xef\xbb\xbf# a=1\nb=2", []f{{"b", "2"}}},
		{"byte order mark elsewhere", "a=1\n\xef\xbb\xbfb=2", []f{{"a", "1"}, {"ï»¿b", "2"}}},
		{"ISO 8859-1", "a\xe9=\xff\xc3\xa9", []f{{"aé", "ÿÃ©"}}},
		{"empty keys", "=1\na\n:2\n\\\n = 3", []f{{"", "3"}, {"a", ""}}},
		{"the last value counts, in the first place", "a=1\nb=2\na=3", []f{{"a", "3"}, {"b", "2"}}},
		{"NUL", "a\x00=\x00", []f{{"a\x00", "\x00"}}},
		{"half a surrogate", `a=\uD83D`, []f{{"a", "\uFFFD"}}},
		{"surrogates", `a=\ud83d\uDE00\uDE00\ud83d\ud83d\ude00`, []f{{"a", "😀\uFFFD\uFFFD😀"}}},
		{"the first and the last surrogates", `a=\ud7ff\udc00 \ud800\udc00\udbff\udfff \udbff\ue000`, []f{{"a", "\ud7ff\ufffd \U00010000\U0010ffff \ufffd\ue000"}}},
		{"no surrogate", `a=\\uD83D\uDE00`, []f{{"a", `\uD83D` + "\uFFFD"}}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			fields, err := parseProperties([]byte(tc.text))
			var got []f
			for _, field := range fields {
				got = append(got, f{field.Name, field.Value})
			}
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%q is %q, %v, want %q", tc.text, got, err, tc.want)
			}
		})
	}
	for _, text := range []string{"\xff\xfea\x00=\x001\x00", "\xfe\xff\x00a\x00=\x001"} {
		if got, err := parseProperties([]byte(text)); !errors.Is(err, errUTF16) {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for _, text := range []string{`\u`, `\u12`, `a=\u12 34`, `a=\uGGGG`, "a=\\u00\x10\x11", `a=\u-123`, "=1\n=\\u"} {
		if got, err := parseProperties([]byte(text)); !errors.Is(err, errMalformedUnicode) {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}

// FuzzParseProperties reads what referenceProperties reads, leaves no goroutine
// behind, writes what was read, and reads the same again; a configuration made
// of it is written and read the same too.
func FuzzParseProperties(f *testing.F) {
	f.Add([]byte("a=1\n# comment\nb : 2\\\n 3\nc\\ \\u0041\\uD83D\\uDE00 4 "))
	f.Add([]byte("=\n\\=\\\r\n\xff"))
	f.Add([]byte("\\\n#a\\\nb=\\\\uD83D\\uDE00\\ud83d\\\r\\\n \\udE00${b}\n:=\f1"))
	f.Add([]byte("listenPort=1\nproductEnvName= x\\n\nscanNotActiveBrokerInterval=-9\nclusterTest=true"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := slices.Clone(text)
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		fields, err := parseProperties(text)
		if !slices.Equal(text, before) {
			t.Fatal("the text was changed")
		}
		want, wantErr := referenceProperties(text)
		if !errors.Is(err, wantErr) || !slices.Equal(fields, want) {
			t.Fatalf("%q is %q, %v, want %q, %v", text, fields, err, want, wantErr)
		}
		if err != nil {
			return
		}
		var again []byte
		for _, f := range fields {
			again = appendProperty(again, f)
		}
		back, err := parseProperties(again)
		if err != nil || !reflect.DeepEqual(back, fields) {
			t.Fatalf("%q is %q, written and read %q, %v", text, fields, back, err)
		}
		var one, two Config
		for _, f := range fields {
			if k, ok := knownKeys[f.Name]; ok {
				_ = k.take(&one, f.Value)
			} else {
				one.Unknown = withField(one.Unknown, f.Name, f.Value)
			}
		}
		back, err = parseProperties(one.fileText())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range back {
			if k, ok := knownKeys[f.Name]; !ok {
				two.Unknown = withField(two.Unknown, f.Name, f.Value)
			} else if err := k.take(&two, f.Value); err != nil && k.words == nil { // words are not valid when zero
				t.Fatalf("%s=%q: %v", f.Name, f.Value, err)
			}
		}
		if !reflect.DeepEqual(one, two) {
			t.Fatalf("configuration %+v, written and read %+v", one, two)
		}
	})
}
