package codec

import (
	"errors"
	"strings"
	"testing"
)

// headerReader names the reader that took a header.
func headerReader(h []byte) string {
	var c Command
	switch {
	case c.scanJSONHeader(h):
		return "scan"
	case c.parseJSONHeader(h):
		return "parse"
	}
	return "read"
}

// TestJSONHeaderAccepted goes through all that fastjson takes for a header.
func TestJSONHeaderAccepted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		in     string
		want   Command
		reader string // which one takes it; "" means readJSONHeader
	}{
		{"nothing", `{}`, Command{}, "parse"},
		{
			"usual", `{"code":105,"extFields":{"topic":"T"},"flag":0,"language":"GO","opaque":-1,"remark":"r","serializeTypeCurrentRPC":"JSON","version":317}`,
			Command{Code: 105, Ext: extFields("topic", "T"), Language: LanguageGo, Opaque: -1, Remark: []byte("r"), Version: 317},
			"scan",
		},
		{"any order", `{"version":1,"code":2}`, Command{Version: 1, Code: 2}, "scan"},
		{"newline at the end", "{\"code\":2}\n", Command{Code: 2}, "scan"},
		{"text beyond ASCII", `{"remark":"主题","extFields":{"é":"😀"}}`, Command{Remark: []byte("主题"), Ext: extFields("é", "😀")}, "scan"},
		{"empty ext fields", `{"extFields":{}}`, Command{}, "scan"},
		{"empty strings", `{"remark":"","extFields":{"a":""}}`, Command{Remark: []byte{}, Ext: extFields("a", "")}, "scan"},
		{"largest ints", `{"opaque":2147483647,"code":-2147483648}`, Command{Opaque: 1<<31 - 1, Code: -1 << 31}, "scan"},
		{"minus nothing", `{"opaque":-0}`, Command{}, "scan"},
		{"unknown language", `{"language":"COBOL"}`, Command{Language: LanguageUnknown}, "scan"},
		{"twice, last wins", `{"code":1,"code":2,"extFields":{"a":"1"},"extFields":{"b":"2","b":"3"}}`, Command{Code: 2, Ext: extFields("b", "2", "b", "3")}, "scan"},

		{"white space", " {\t\"code\" :\r\n 105 , \"extFields\" : { \"topic\" : \"T\" } } ", Command{Code: 105, Ext: extFields("topic", "T")}, "scan"},
		{"white space in empty ext fields", `{"extFields":{ } }`, Command{}, "scan"},
		{"white space only fastjson knows", "{\f\"code\"\b:1}", Command{Code: 1}, ""},
		{
			"escapes", `{"remark":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","extFields":{"t\u006fpic":"\u0054"}}`,
			Command{Remark: []byte("a\"\\/\b\f\n\r\té😀"), Ext: extFields("topic", "T")},
			"parse",
		},
		{"escape in a member's name", `{"c\u006fde":7}`, Command{Code: 7}, "parse"},
		{"null ext value", `{"extFields":{"a":null,"b":"1"}}`, Command{Ext: extFields("b", "1")}, "parse"},

		{"bare names", `{code:1,$x_1:2,extFields:{topic:"T"}}`, Command{Code: 1, Ext: extFields("topic", "T")}, ""},
		{"bare names beyond ASCII", `{主题:2,code:1}`, Command{Code: 1}, ""},
		{"single quotes", `{'code':1,'remark':'it"s','extFields':{'a':'b'}}`, Command{Code: 1, Remark: []byte(`it"s`), Ext: extFields("a", "b")}, ""},
		{"extra commas", `{,code:1,,opaque:2,}`, Command{Code: 1, Opaque: 2}, ""},
		{"extra commas in ext fields", `{"extFields":{,"a":"1",,"b":"2",}}`, Command{Ext: extFields("a", "1", "b", "2")}, ""},
		{"semicolons", `{"code":1;"opaque":2;}`, Command{Code: 1, Opaque: 2}, ""},
		{"comments", "/* a */{// b\n\"code\"/**/:/***/1/* * / */,//\n\"opaque\":2}//", Command{Code: 1, Opaque: 2}, ""},
		{"byte order mark", "\uFEFF{\"code\":1}", Command{Code: 1}, ""},
		{"NUL bytes at the end", "{\"code\":1}\x00\x00 \x00", Command{Code: 1}, ""},
		{"unknown members", `{"x":{"a":[1,{"b":null},-1.5e3,'s'],5:6,-7:8},"y":[,1,,2,],"z":NaN,"u":undefined,"v":true,"w":"","code":3}`, Command{Code: 3}, ""},
		{
			"names by smart match", `{"Code":1,"OPAQUE":2,"_ver-sion_":3,"ext_fields":{"Topic":"T"},"RE-MARK":"r","Language":"GO"}`,
			Command{Code: 1, Opaque: 2, Version: 3, Ext: extFields("Topic", "T"), Remark: []byte("r"), Language: LanguageGo},
			"",
		},
		{"ext-fields", `{"ext-fields":{"a":"b"}}`, Command{Ext: extFields("a", "b")}, ""},
		{"EXTFIELDS", `{"EXTFIELDS":{"a":"b"}}`, Command{Ext: extFields("a", "b")}, ""},
		{"ints as strings", `{"code":"105","opaque":"-7","version":"+4","flag":"002"}`, Command{Code: 105, Opaque: -7, Version: 4, Flag: 2}, ""},
		{"ints as strings with a fraction of zeros", `{"code":"105.00"}`, Command{Code: 105}, ""},
		{"ints as strings with grouped digits", `{"code":"1,005"}`, Command{Code: 1005}, ""},
		{"ints as floats", `{"code":5.7,"opaque":-5.7,"version":1e2,"flag":20E-1}`, Command{Code: 5, Opaque: -5, Version: 100, Flag: 2}, ""},
		{"ints smaller than one", `{"code":0.99e-400,"opaque":1e-9}`, Command{}, ""},
		{"a float of many digits", `{"opaque":2147483647.` + strings.Repeat("9", 50) + `}`, Command{Opaque: 1<<31 - 1}, ""},
		{"plus and leading zeros", `{"code":+5,"opaque":007,"version":-007}`, Command{Code: 5, Opaque: 7, Version: -7}, ""},
		{"ints as booleans", `{"code":true,"opaque":false}`, Command{Code: 1}, ""},
		{"ints null or empty", `{"code":5,"code":null,"opaque":"","version":"null","flag":''}`, Command{Code: 5}, ""},
		{"language as ordinal", `{"language":9}`, Command{Language: LanguageGo}, ""},
		{"language as ordinal in quotes", `{"language":"13"}`, Command{Language: LanguageNodeJS}, ""},
		{"language null", `{"language":null}`, Command{Language: LanguageUnknown}, ""},
		{"language empty", `{"language":""}`, Command{Language: LanguageUnknown}, ""},
		{"language in lower case", `{"language":"java"}`, Command{Language: LanguageUnknown}, "scan"},
		{"language as unknown ordinal in quotes", `{"language":"14"}`, Command{Language: LanguageUnknown}, ""},
		{"serialize type unknown", `{"serializeTypeCurrentRPC":"X"}`, Command{}, "scan"},
		{"serialize type as ordinal", `{"serializeTypeCurrentRPC":1}`, Command{}, ""},
		{
			"strings as numbers", `{"remark":12,"extFields":{"a":1.50,"b":1e5,"c":-0,"d":007,"e":+3,"f":100e-2,"g":1e-8,"h":123e-9,"i":5.,"j":-0.0,"k":12e3}}`,
			Command{Remark: []byte("12"), Ext: extFields("a", "1.50", "b", "1E+5", "c", "-0", "d", "007", "e", "3", "f", "1.00", "g", "1E-8", "h", "1.23E-7", "i", "5", "j", "0.0", "k", "1.2E+4")},
			"",
		},
		{"strings as booleans", `{"remark":true,"extFields":{"a":false}}`, Command{Remark: []byte("true"), Ext: extFields("a", "false")}, ""},
		{
			"strings as objects", `{"remark":{ 'a' : [1, 2.0, null, "x/é\n"], b:null, 7:true},"extFields":{"a":[ ],"b":{ },"c":[{},[[]]]}}`,
			Command{Remark: []byte(`{"a":[1,2.0,null,"x/é\n"],"7":true}`), Ext: extFields("a", "[]", "b", "{}", "c", "[{},[[]]]")},
			"",
		},
		{"null strings", `{"remark":"a","remark":null}`, Command{}, ""},
		{"null ext fields", `{"extFields":{"a":"b"},"extFields":null}`, Command{}, ""},
		{"null after a value", `{'extFields':{"a":"1","b":"2","a":null}}`, Command{Ext: extFields("b", "2")}, ""},
		{"raw control characters", "{\"remark\":\"a\n\t\x01\x1Ab\"}", Command{Remark: []byte("a\n\t\x01\x1Ab")}, ""},
		{"fastjson's escapes", `{"remark":"\v\'\0\1\2\3\4\5\6\7\x41\xe9\F"}`, Command{Remark: []byte("\v'\x00\x01\x02\x03\x04\x05\x06\x07Aé\f")}, ""},
		{"half a surrogate pair", `{'remark':"\ud83dx\ude00\ud83d\u0041\ud83d\ue000"}`, Command{Remark: []byte("\uFFFDx\uFFFD\uFFFDA\uFFFD\uE000")}, ""},
		{"@type is a name like others", `{"@type":"java.lang.Thread","code":1}`, Command{Code: 1}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Command
			if err := c.Decode(frameOf(SerializeJSON, []byte(tt.in), nil)); err != nil {
				t.Fatalf("%s: %v", tt.in, err)
			}
			if got, want := showCommand(&c), showCommand(&tt.want); got != want {
				t.Errorf("%s:\ngot  %s\nwant %s", tt.in, got, want)
			}
			if tt.reader == "" {
				tt.reader = "read"
			}
			if got := headerReader([]byte(tt.in)); got != tt.reader {
				t.Errorf("%s: read by %s, want %s", tt.in, got, tt.reader)
			}
		})
	}
}

// TestJSONHeaderRejected goes through what fastjson refuses, and what would be
// easy to let through.
func TestJSONHeaderRejected(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in string }{
		{"nothing", ``},
		{"blank", ` `},
		{"array", `[]`},
		{"array of a number", `[1]`},
		{"string", `"s"`},
		{"number", `12`},
		{"null", `null`},
		{"NUL", "\x00"},
		{"integer names in ext fields", `{"extFields":{1:"a"}}`},
		{"integer names of members", `{1:"a"}`},
		{"missing colon", `{"code" 1}`},
		{"equals sign", `{"code"=1}`},
		{"missing comma", `{"code":1 "opaque":2}`},
		{"text at the end", `{"code":1}x`},
		{"comma at the end", `{"code":1},`},
		{"second value", `{"code":1}{"code":2}`},
		{"extra brace", `{"code":1}}`},
		{"text after NUL", "{\"code\":1}\x00x"},
		{"text after NUL after an escape", "{\"remark\":\"\\n\"}\x00x"},
		{"two byte order marks", "\uFEFF\uFEFF{}"},
		{"truncated object", `{"code":1`},
		{"truncated name", `{"code`},
		{"truncated after name", `{"code":`},
		{"truncated ext fields", `{"extFields":{"a":"b"`},
		{"truncated ext fields after comma", `{"extFields":{"a":"b",`},
		{"truncated string", `{"remark":"a`},
		{"truncated escape", `{"remark":"a\`},
		{"truncated unknown member", `{"x":[1,{`},
		{"unfinished comment", `{"code":1/*}`},
		{"single slash", `{"code":1/}`},
		{"comment that ends as it begins", `/*/{"code":1}`},
		{"int too large", `{"opaque":2147483648}`},
		{"int too small", `{"opaque":-2147483649}`},
		{"int of twenty digits", `{"opaque":18446744073709551617}`},
		{"float too large", `{"opaque":1e10}`},
		{"float far too large", `{"opaque":1e999999999}`},
		{"exponent too large", `{"opaque":1e99999999999999999999}`},
		{"string of digits too large", `{"opaque":"2147483648"}`},
		{"not a number", `{"opaque":"five"}`},
		{"fraction in quotes", `{"opaque":"5.7"}`},
		{"blanks in quotes", `{"opaque":" 5"}`},
		{"hex", `{"code":0x65}`},
		{"hex in quotes", `{"code":"0x65"}`},
		{"sign alone", `{"code":-}`},
		{"two signs", `{"code":+-5}`},
		{"two points", `{"code":1.2.3}`},
		{"exponent without digits", `{"code":1e}`},
		{"point first", `{"code":.5}`},
		{"int as object", `{"code":{}}`},
		{"int as array", `{"code":[1]}`},
		{"bare word", `{"code":one}`},
		{"bare word for unknown member", `{"x":one}`},
		{"true with a tail", `{"code":truer}`},
		{"language as object", `{"language":{}}`},
		{"language as array", `{"language":[]}`},
		{"language as boolean", `{"language":true}`},
		{"language out of range", `{"language":14}`},
		{"language negative", `{"language":-1}`},
		{"language as float", `{"language":1.0}`},
		{"serialize type out of range", `{"serializeTypeCurrentRPC":2}`},
		{"serialize type as object", `{"serializeTypeCurrentRPC":{"a":1}}`},
		{"ext fields as string", `{"extFields":"a"}`},
		{"ext fields as empty string", `{"extFields":""}`},
		{"ext fields as array", `{"extFields":[]}`},
		{"ext fields as number", `{"extFields":1}`},
		{"unknown escape", `{"remark":"\q"}`},
		{"escape of 8", `{"remark":"\8"}`},
		{"bad unicode escape", `{"remark":"\u00g0"}`},
		{"short unicode escape", `{"remark":"\u00"}`},
		{"bad hex escape", `{"remark":"\xg0"}`},
		{"invalid UTF-8", "{\"remark\":\"\xff\"}"},
		{"invalid UTF-8 in an unknown member", "{\"x\":\"\xff\"}"},
		{"invalid UTF-8 in ext fields", "{\"extFields\":{\"a\":\"b\xc3\"}}"},
		{"overlong UTF-8", "{\"remark\":\"\xc0\xaf\"}"},
		{"encoded surrogate", "{\"remark\":\"\xed\xa0\xbd\xed\xb8\x80\"}"},
		{"bracket mismatch", `{"x":[1}}`},
		{"brace mismatch", `{"x":{"a":1]}`},
		{"nested too deep", `{"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`},
		{"endless nesting", `{"x":` + strings.Repeat("[", 1<<20)},
		{"endless nesting of objects", `{"remark":` + strings.Repeat(`{"a":`, 1<<18)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Command
			err := c.Decode(frameOf(SerializeJSON, []byte(tt.in), nil))
			var headerErr *HeaderError
			if !errors.As(err, &headerErr) || headerErr.SerializeType != SerializeJSON {
				t.Errorf("%.100s: %v, %s; want a HeaderError", tt.in, err, showCommand(&c))
			}
		})
	}
}

func TestJSONHeaderErrorText(t *testing.T) {
	var c Command
	err := c.Decode(frameOf(SerializeJSON, []byte(`{"code":1,"opaque":"five"}`), nil))
	if want := "codec: JSON header at byte 25: not a number, or out of range, near \",\\\"opaque\\\":\\\"five\\\"}\""; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// agree fails the test where two readers take h for different headers.
func agree(t *testing.T, h []byte) {
	t.Helper()
	var scanned, parsed, read Command
	readErr := read.readJSONHeader(h)
	want := showHeader(&read)
	if scanned.scanJSONHeader(h) && (readErr != nil || showHeader(&scanned) != want) {
		t.Errorf("%q:\nscanned %s\nread    %s, %v", h, showHeader(&scanned), want, readErr)
	}
	if parsed.parseJSONHeader(h) && (readErr != nil || showHeader(&parsed) != want) {
		t.Errorf("%q:\nparsed %s\nread   %s, %v", h, showHeader(&parsed), want, readErr)
	}
}

// showHeader is showCommand with ext fields as a map.
func showHeader(c *Command) string {
	fields := map[string]string{}
	for _, f := range c.Ext {
		fields[string(f.Name)] = string(f.Value)
	}
	d := *c
	d.Ext = nil
	return showCommand(&d) + showMap(fields)
}

func FuzzJSONHeader(f *testing.F) {
	for _, name := range exampleFrames {
		if frame := loadFrame(f, name); frame[4] == byte(SerializeJSON) {
			headerLen := int(frame[6])<<8 | int(frame[7])
			f.Add(frame[8 : 8+headerLen])
		}
	}
	f.Fuzz(func(t *testing.T, h []byte) {
		var c Command
		if err := c.consumeJSONHeader(h); err == nil {
			agree(t, h)
			// Written again it reads the same.
			again := c.appendJSONHeader(nil)
			var d Command
			if c.Language == LanguageUnknown { // null, which is left out
				c.Language = LanguageJava
			}
			if err := d.consumeJSONHeader(again); err != nil || showHeader(&c) != showHeader(&d) {
				t.Errorf("%q:\nread       %s\nread again %s, %v", h, showHeader(&c), showHeader(&d), err)
			}
		}
	})
}
