package codec

import (
	"math"
	"unicode/utf8"
)

// number reads a number and returns its digits as they stand, without a
// leading plus; float reports whether it has a point or an exponent. Leading
// zeros, and a point without digits behind it, are fine. Differs from Java, which
// also takes the letter of a type behind the number (1L, 1.5F); no peer sends it.
// Java: JSONLexerBase#scanNumber.
func (r *jsonReader) number() (text []byte, float bool) {
	start := r.i
	if r.i < len(r.b) && (r.b[r.i] == '-' || r.b[r.i] == '+') {
		if r.b[r.i] == '+' {
			start++
		}
		r.i++
	}
	if !r.digits() {
		r.fail("not a number")
		return nil, false
	}
	if r.i < len(r.b) && r.b[r.i] == '.' {
		float = true
		r.i++
		r.digits() // none is fine: 5. is 5
	}
	if r.i < len(r.b) && r.b[r.i]|0x20 == 'e' {
		float = true
		r.i++
		if r.i < len(r.b) && (r.b[r.i] == '+' || r.b[r.i] == '-') {
			r.i++
		}
		if !r.digits() {
			r.fail("exponent without digits")
			return nil, false
		}
	}
	if r.i < len(r.b) && (isWordByte(r.b[r.i]) || r.b[r.i] == '.') {
		r.fail("not a number")
		return nil, false
	}
	return r.b[start:r.i], float
}

// digits steps over decimal digits; it reports whether there were any.
func (r *jsonReader) digits() bool {
	start := r.i
	for r.i < len(r.b) && isDigit(r.b[r.i]) {
		r.i++
	}
	return r.i > start
}

// isNumberStart reports whether a value that begins with c is a number.
func isNumberStart(c byte) bool { return isDigit(c) || c == '-' || c == '+' }

// int64 reads a whole number between lo and hi: plain, as a string, with a
// fraction that is cut off, or as a boolean. Null and the empty string are not
// ok and change nothing.
// Java: IntegerCodec, LongCodec, TypeUtils#castToInt.
func (r *jsonReader) int64(lo, hi int64) (v int64, ok bool) {
	c := r.peek()
	switch {
	case isNumberStart(c):
		text, float := r.number()
		if float && !r.spend(len(text)) {
			return 0, false
		}
		if float {
			v, ok = truncate(text)
		} else {
			v, ok = parseDecimal(text)
		}
	case c == '"' || c == '\'':
		text := r.quoted(c)
		if !r.spend(len(text)) { // for one without commas
			return 0, false
		}
		if len(text) == 0 || string(text) == "null" || string(text) == "NULL" {
			return 0, false
		}
		v, ok = parseDecimal(withoutZeroFraction(withoutCommas(text)))
	case r.null():
		return 0, false
	case r.literal("true"):
		return 1, true
	case r.literal("false"):
		return 0, true
	}
	if !ok || v < lo || v > hi {
		r.fail("not a number, or out of range")
		return 0, false
	}
	return v, true
}

// intMember reads an int member into v, and leaves it alone on null.
func (r *jsonReader) intMember(v *int32) {
	if n, ok := r.int64(math.MinInt32, math.MaxInt32); ok {
		*v = int32(n)
	}
}

// longMember reads a long member into v, and leaves it alone on null.
func (r *jsonReader) longMember(v *int64) {
	if n, ok := r.int64(math.MinInt64, math.MaxInt64); ok {
		*v = n
	}
}

// withoutCommas takes out the commas that group digits, wherever they stand:
// Java replaces each one by nothing before it parses. Java: TypeUtils#castToInt,
// #castToLong.
func withoutCommas(b []byte) []byte {
	for i := range b {
		if b[i] != ',' {
			continue
		}
		out := append(make([]byte, 0, len(b)), b[:i]...)
		for _, c := range b[i:] {
			if c != ',' {
				out = append(out, c)
			}
		}
		return out
	}
	return b
}

// withoutZeroFraction cuts off a fraction of zeros, the only fraction a number
// in quotes may have. Java: TypeUtils.NUMBER_WITH_TRAILING_ZEROS_PATTERN.
func withoutZeroFraction(b []byte) []byte {
	i := len(b)
	for i > 0 && b[i-1] == '0' {
		i--
	}
	if i > 0 && b[i-1] == '.' {
		return b[:i-1]
	}
	return b
}

// bool reads a boolean member. Null and the empty string are not ok. A number is
// true if its whole part is 1 and false otherwise; of texts only those of the list
// below are booleans, in any case of their letters.
// Java: BooleanCodec, TypeUtils#castToBoolean.
func (r *jsonReader) bool() (v, ok bool) {
	c := r.peek()
	switch {
	case isNumberStart(c):
		text, float := r.number()
		n, ok := int64(0), false
		if float {
			n, ok = truncate(text)
		} else {
			n, ok = parseDecimal(text)
		}
		if ok {
			return n == 1, true
		}
	case c == '"' || c == '\'':
		text := r.quoted(c)
		switch {
		case len(text) == 0 || string(text) == "null" || string(text) == "NULL":
			return false, false
		case equalFold(text, "true") || string(text) == "1" || equalFold(text, "y") || equalFold(text, "t"):
			return true, true
		case equalFold(text, "false") || string(text) == "0" || equalFold(text, "n") || equalFold(text, "f"):
			return false, true
		}
	case r.null():
		return false, false
	case r.literal("true"):
		return true, true
	case r.literal("false"):
		return false, true
	}
	r.fail("not a boolean")
	return false, false
}

// equalFold reports whether b equals the lower-case ASCII word, ignoring case.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		if lower(b[i]) != word[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// text reads a string member: a string, or any other value as Java prints it. A
// whole number stays as it was written, zeros included; one with a point or an
// exponent becomes a BigDecimal first, so 1e5 is "1E+5"; objects and arrays are
// written again. It returns nil for null, and UTF-8 always.
// Java: StringCodec#deserialze.
func (r *jsonReader) text() []byte {
	c := r.peek()
	switch {
	case c == '"' || c == '\'':
		return r.validText(r.quoted(c))
	case isNumberStart(c):
		text, float := r.number()
		if !float || r.err != nil || !r.spend(4*len(text)) {
			return text
		}
		out, ok := appendDecimal(nil, text)
		if !ok {
			r.fail("exponent out of range")
			return nil
		}
		return out
	case r.null():
		return nil
	}
	// As it is written again, a byte may become six, and it grows by doubling.
	ahead := *r
	ahead.skip()
	if ahead.err == nil && !r.spend(12*(ahead.i-r.i)) {
		return nil
	}
	return r.appendValue(nil)
}

// ownText is text as a string.
func (r *jsonReader) ownText() string {
	s := r.text()
	if !r.spend(len(s)) {
		return ""
	}
	return string(s)
}

// ownNullable is ownText; it reports false for null.
func (r *jsonReader) ownNullable() (s string, ok bool) {
	text := r.text()
	if !r.spend(len(text)) {
		return "", false
	}
	return string(text), text != nil
}

// validText is the function of that name. A byte may become three, and it grows
// by doubling.
func (r *jsonReader) validText(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	if !r.spend(6*len(b) + 16) {
		return nil
	}
	return validText(b)
}

// appendValue reads any value and appends it as fastjson would write it again.
// Recursion ends at maxDepth.
// Differs from Java: members keep the order they were sent in, and duplicates.
func (r *jsonReader) appendValue(dst []byte) []byte {
	c := r.peek()
	switch {
	case c == '{':
		return r.appendObject(dst)
	case c == '[':
		dst = append(dst, '[')
		first := true
		for ok := r.array() && r.element(); ok; ok = r.element() {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = r.appendValue(dst)
		}
		return append(dst, ']')
	case c == '"' || c == '\'':
		return appendString(dst, validText(r.quoted(c)), DialectLegacy)
	case isNumberStart(c):
		text, float := r.number()
		if !float || r.err != nil {
			return append(dst, text...)
		}
		dst, ok := appendDecimal(dst, text)
		if !ok {
			r.fail("exponent out of range")
		}
		return dst
	case r.null():
		return append(dst, "null"...)
	case r.literal("true"):
		return append(dst, "true"...)
	case r.literal("false"):
		return append(dst, "false"...)
	}
	r.fail("not a value")
	return dst
}

// appendObject is appendValue for an object. Names may be numbers, which are
// written in quotes: to Java the object is a JSONObject, whose keys are strings.
// Java: DefaultJSONParser#parseObject, MapSerializer#write.
func (r *jsonReader) appendObject(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	if !r.object() {
		return dst
	}
	for {
		name, ok := r.member(anyNames)
		if !ok {
			return append(dst, '}')
		}
		if r.null() { // Java: MapSerializer leaves null values out
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, validText(name), DialectLegacy)
		dst = append(dst, ':')
		dst = r.appendValue(dst)
	}
}

// skip steps over any value, of a member that Java's class does not have. It
// must still be well-formed, because Java parses it before it drops it.
// Recursion ends at maxDepth. Java: JavaBeanDeserializer#parseField,
// DefaultJSONParser#parseExtra.
func (r *jsonReader) skip() {
	c := r.peek()
	switch {
	case c == '{':
		if r.object() {
			for _, ok := r.member(anyNames); ok; _, ok = r.member(anyNames) {
				r.skip()
			}
		}
	case c == '[':
		for ok := r.array() && r.element(); ok; ok = r.element() {
			r.skip()
		}
	case c == '"' || c == '\'':
		r.quoted(c)
	case isNumberStart(c):
		r.number()
	default:
		if !r.null() && !r.literal("true") && !r.literal("false") {
			r.fail("not a value")
		}
	}
}

// smartName writes name into buf in the form fastjson compares when no member
// has the exact name: lower case, without underscores and dashes. It returns
// nil for names too long to match anything.
// Java: JavaBeanDeserializer#smartMatch, TypeUtils#fnv1a_64_extract.
func smartName(buf *[32]byte, name []byte) []byte {
	n := 0
	for _, c := range name {
		if c == '_' || c == '-' {
			continue
		}
		if n == len(buf) {
			return nil
		}
		buf[n] = lower(c)
		n++
	}
	return buf[:n]
}
