package codec

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"sort"
	"strconv"
	"unicode/utf8"

	gojson "github.com/goccy/go-json"
)

// Three readers try a JSON header, one after the other. scanJSONHeader takes what
// each official client sends, allocates nothing and gives up on the rest.
// parseJSONHeader takes strict JSON, escapes included. readJSONHeader takes all
// that Java's fastjson takes, and its error is the one that is returned. Where two
// of them succeed they agree: FuzzJSONHeader.
func (c *Command) consumeJSONHeader(h []byte) error {
	if c.scanJSONHeader(h) {
		return nil
	}
	// Java: RemotingSerializable#decode; JSON#parseObject(byte[]) refuses what
	// is not UTF-8, wherever it stands.
	if !utf8.Valid(h) {
		return &HeaderError{SerializeType: SerializeJSON, Offset: invalidAt(h), Reason: "not UTF-8"}
	}
	if c.parseJSONHeader(h) {
		return nil
	}
	if err := c.readJSONHeader(h); err != nil {
		return err.inHeader(SerializeJSON)
	}
	return nil
}

func invalidAt(b []byte) int {
	for i := 0; i < len(b); {
		u, size := utf8.DecodeRune(b[i:])
		if u == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

// scanJSONHeader reads the usual header: the known members by their exact
// names, plain numbers, strings without escapes. It reports false on anything
// else; c then holds nothing to rely on.
func (c *Command) scanJSONHeader(h []byte) bool {
	c.reset()
	i := skipBlank(h, 0)
	if i >= len(h) || h[i] != '{' {
		return false
	}
	for {
		name, next := scanName(h, i+1)
		if next < 0 {
			return false
		}
		i = next
		var n int32
		switch string(name) {
		case "code":
			n, i = scanInt32(h, i)
			c.Code = RequestCode(n)
		case "opaque":
			c.Opaque, i = scanInt32(h, i)
		case "version":
			c.Version, i = scanInt32(h, i)
		case "flag":
			n, i = scanInt32(h, i)
			c.Flag = Flag(n)
		case "extFields":
			i = c.scanExtFields(h, i)
		case "language":
			if name, i = scanString(h, i); i >= 0 {
				if len(name) == 0 || isNumberStart(name[0]) {
					return false
				}
				c.Language = languageByName(name)
			}
		case "serializeTypeCurrentRPC":
			_, i = scanString(h, i) // the header word decides
		case "remark":
			c.Remark, i = scanString(h, i)
		default:
			return false
		}
		if i < 0 {
			return false
		}
		if i = skipBlank(h, i); i >= len(h) {
			return false
		}
		switch h[i] {
		case ',':
		case '}':
			return skipBlank(h, i+1) == len(h)
		default:
			return false
		}
	}
}

// scanExtFields reads the object at i and returns the index after it, -1 for
// anything unusual.
func (c *Command) scanExtFields(h []byte, i int) int {
	c.Ext = c.Ext[:0]
	if i >= len(h) || h[i] != '{' {
		return -1
	}
	if end := skipBlank(h, i+1); end < len(h) && h[end] == '}' {
		return end + 1
	}
	for {
		name, next := scanName(h, i+1)
		if next < 0 {
			return -1
		}
		value, next := scanString(h, next)
		if next < 0 || len(c.Ext) == maxExtFields {
			return -1
		}
		c.Ext = append(c.Ext, ExtField{Name: name, Value: value})
		if i = skipBlank(h, next); i >= len(h) {
			return -1
		}
		switch h[i] {
		case ',':
		case '}':
			return i + 1
		default:
			return -1
		}
	}
}

// skipBlank returns the index of the first byte at or after i that is not
// white space. Most clients send none, Python's do.
func skipBlank(h []byte, i int) int {
	for i < len(h) && (h[i] == ' ' || h[i] == '\n' || h[i] == '\r' || h[i] == '\t') {
		i++
	}
	return i
}

// scanName reads a name and its colon, and returns the name with the index of
// the value, -1 for anything unusual.
func scanName(h []byte, i int) ([]byte, int) {
	name, i := scanString(h, skipBlank(h, i))
	if i < 0 {
		return nil, -1
	}
	if i = skipBlank(h, i); i >= len(h) || h[i] != ':' {
		return nil, -1
	}
	return name, skipBlank(h, i+1)
}

// scanString reads the string at i and returns it with the index after it, -1
// when there is none, or an escape or control character in it.
func scanString(h []byte, i int) ([]byte, int) {
	if i >= len(h) || h[i] != '"' {
		return nil, -1
	}
	start := i + 1
	i = skipPlain(h, start)
	if i < len(h) && h[i] >= utf8.RuneSelf {
		for i < len(h) && h[i] != '"' && h[i] != '\\' && h[i] >= 0x20 {
			i++
		}
		if !utf8.Valid(h[start:i]) {
			return nil, -1
		}
	}
	if i >= len(h) || h[i] != '"' {
		return nil, -1
	}
	return h[start:i:i], i + 1
}

// scanInt32 reads the number at i, of up to ten digits, and returns it with the
// index after it, -1 when it is not a plain int32. Leading zeros mean nothing. What
// may follow is left to the caller: a point, for one, makes it no plain int.
// Java: JSONLexerBase#intValue.
func scanInt32(h []byte, i int) (int32, int) {
	neg := i < len(h) && h[i] == '-'
	if neg {
		i++
	}
	start := i
	v := int64(0)
	for i < len(h) && isDigit(h[i]) && i < start+10 {
		v = v*10 + int64(h[i]-'0')
		i++
	}
	if i == start || i < len(h) && isDigit(h[i]) {
		return 0, -1
	}
	if neg {
		v = -v
	}
	if v < math.MinInt32 || v > math.MaxInt32 {
		return 0, -1
	}
	return int32(v), i
}

// maxParsedHeader bounds, in bytes, what parseJSONHeader takes: the maps it
// builds are many times as large.
const maxParsedHeader = 1 << 16

// parseJSONHeader reads a header that is strict JSON with known members of the
// usual types. It reports false on anything else; c then holds nothing to rely
// on.
func (c *Command) parseJSONHeader(h []byte) bool {
	c.reset()
	// go-json does not check raw values, so json.Valid does. We know no header that
	// go-json would take and json.Valid refuses.
	var members map[string]gojson.RawMessage
	if len(h) > maxParsedHeader || !json.Valid(h) || gojson.Unmarshal(h, &members) != nil || members == nil {
		return false
	}
	for name, raw := range members {
		ok := false
		switch name {
		case "code":
			var n int32
			n, ok = plainInt32(raw)
			c.Code = RequestCode(n)
		case "opaque":
			c.Opaque, ok = plainInt32(raw)
		case "version":
			c.Version, ok = plainInt32(raw)
		case "flag":
			var n int32
			n, ok = plainInt32(raw)
			c.Flag = Flag(n)
		case "language":
			var s string
			s, ok = plainString(raw)
			ok = ok && s != "" && !isNumberStart(s[0])
			c.Language = languageByName([]byte(s))
		case "serializeTypeCurrentRPC":
			_, ok = plainString(raw)
		case "remark":
			var s string
			s, ok = plainString(raw)
			c.Remark = []byte(s)
		case "extFields":
			ok = c.parseExtFields(raw)
		}
		if !ok {
			return false
		}
	}
	return true
}

func plainInt32(raw []byte) (int32, bool) {
	v, next := scanInt32(raw, 0)
	return v, next == len(raw)
}

func plainString(raw []byte) (s string, ok bool) {
	ok = len(raw) > 0 && raw[0] == '"' && gojson.Unmarshal(raw, &s) == nil
	return s, ok
}

// parseExtFields reads the object raw. What is null is left out, as a map of
// Java's has no use for it; the fields come in ascending order of their names.
func (c *Command) parseExtFields(raw []byte) bool {
	var fields map[string]*string
	if len(raw) == 0 || raw[0] != '{' || gojson.Unmarshal(raw, &fields) != nil {
		return false
	}
	for name, value := range fields {
		if value != nil {
			c.Ext = append(c.Ext, ExtField{Name: []byte(name), Value: []byte(*value)})
		} else {
			c.Nulls = append(c.Nulls, []byte(name))
		}
	}
	slices.SortFunc(c.Nulls, bytes.Compare)
	sort.Slice(c.Ext, func(i, j int) bool { return string(c.Ext[i].Name) < string(c.Ext[j].Name) })
	return true
}

// readJSONHeader reads a header in fastjson's dialect.
// Java: RemotingSerializable#fromJson(String, RemotingCommand.class).
//
// Differs from Java: what has to be written anew, lists and objects as values,
// numbers with exponents, is bounded by the size of the header. It may take
// twelve times as much memory as it has bytes.
func (c *Command) readJSONHeader(h []byte) *syntaxError {
	c.reset()
	var r jsonReader
	r.begin(h)
	left := unusualHeader + 2*len(h)
	r.memory = &memory{reserve: func(n int) bool {
		left -= n
		return left >= 0
	}}
	if r.object() {
		for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
			if c.readHeaderMember(&r, name) {
				continue
			}
			var buf [32]byte
			if !c.readHeaderMember(&r, headerNames[string(smartName(&buf, name))]) {
				r.skip()
			}
		}
	}
	r.end()
	return r.err
}

// unusualHeader is how many bytes a header of an unusual form may allocate beside
// twice its size.
const unusualHeader = 256 << 10

// headerNames maps the smart form of each member's name to the name.
var headerNames = map[string][]byte{
	"code": []byte("code"), "opaque": []byte("opaque"), "version": []byte("version"), "flag": []byte("flag"),
	"remark": []byte("remark"), "language": []byte("language"), "extfields": []byte("extFields"),
	"serializetypecurrentrpc": []byte("serializeTypeCurrentRPC"),
}

// readHeaderMember reads the value of the member with exactly this name; it
// reports false, and reads nothing, if there is no such member. A member that is
// sent twice counts as its last value, but for null, which leaves numbers alone
// and takes texts away: Java's ints cannot be null.
// Java: RemotingCommand's setters, called by FieldDeserializer#setValue.
func (c *Command) readHeaderMember(r *jsonReader, name []byte) bool {
	switch string(name) {
	case "code":
		r.intMember((*int32)(&c.Code))
	case "opaque":
		r.intMember(&c.Opaque)
	case "version":
		r.intMember(&c.Version)
	case "flag":
		r.intMember((*int32)(&c.Flag))
	case "remark":
		c.Remark = r.text()
	case "language":
		c.Language = LanguageCode(r.enum(len(languageNames), func(name []byte) int { return int(languageByName(name)) }))
	case "serializeTypeCurrentRPC":
		r.enum(2, func([]byte) int { return 0 }) // the header word decides
	case "extFields":
		c.readExtFields(r)
	default:
		return false
	}
	return true
}

// enum reads a member whose type is an enum of n values: by name, by ordinal,
// or by ordinal in quotes. It returns -1 for null and for names unknown to
// byName. Java: EnumDeserializer#deserialze.
func (r *jsonReader) enum(n int, byName func(name []byte) int) int {
	c := r.peek()
	switch {
	case isNumberStart(c):
		text, float := r.number()
		if v, ok := parseDecimal(text); ok && !float && v >= 0 && v < int64(n) {
			return int(v)
		}
		r.fail("no such ordinal")
	case c == '"' || c == '\'':
		name := r.quoted(c)
		if v, ok := parseDecimal(name); ok && v >= 0 && v < int64(n) {
			return int(v)
		}
		return byName(name)
	case !r.null():
		r.fail("not the name of an enum value")
	}
	return -1
}

// readExtFields reads a map of strings. Where the map itself is sent twice the
// second takes the place of the first, and null empties it, as a setter of Java's
// would. Java: RemotingCommand#setExtFields, MapDeserializer#parseMap.
func (c *Command) readExtFields(r *jsonReader) {
	c.Ext, c.Nulls = c.Ext[:0], nil
	if r.null() || !r.object() {
		return
	}
	hasNulls := false
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		value := r.text()
		hasNulls = hasNulls || value == nil
		if len(c.Ext) == maxExtFields {
			r.fail("too many ext fields")
			return
		}
		c.Ext = append(c.Ext, ExtField{Name: name, Value: value})
	}
	if hasNulls {
		c.Nulls = c.Ext.nulls()
		c.Ext = c.Ext.withoutNulls()
	}
}

// appendJSONHeader appends a header, members in ascending order as Java writes
// them. An unknown language is null to Java, so it is left out.
func (c *Command) appendJSONHeader(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(c.Code), 10)
	if c.Ext != nil {
		dst = append(dst, `,"extFields":{`...)
		for i, f := range c.Ext {
			dst = appendComma(dst, i)
			dst = appendString(dst, f.Name, DialectLegacy)
			dst = append(dst, ':')
			dst = appendString(dst, f.Value, DialectLegacy)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `,"flag":`...)
	dst = strconv.AppendInt(dst, int64(c.Flag), 10)
	if c.Language >= 0 && int(c.Language) < len(languageNames) {
		dst = append(dst, `,"language":"`...)
		dst = append(dst, languageNames[c.Language]...)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"opaque":`...)
	dst = strconv.AppendInt(dst, int64(c.Opaque), 10)
	if c.Remark != nil {
		dst = append(dst, `,"remark":`...)
		dst = appendString(dst, c.Remark, DialectLegacy)
	}
	dst = append(dst, `,"serializeTypeCurrentRPC":"JSON","version":`...)
	dst = strconv.AppendInt(dst, int64(c.Version), 10)
	return append(dst, '}')
}
