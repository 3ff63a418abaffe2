package codec

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and arrays may nest in what a stranger
// sends; beyond it the text is malformed. No peer comes near it.
// Differs from Java: fastjson goes on until the stack overflows.
const maxDepth = 128

// maxEntries bounds the entries of one list or table that are kept, so that a
// hostile body cannot make much memory of few bytes. Differs from Java, which
// has no bound; a frame of ordinary topics holds a hundred thousand.
const maxEntries = 1 << 20

// A jsonReader pulls values out of JSON in the dialect that fastjson 1.2.83
// reads: bare and single-quoted names, surplus commas, comments, numbers
// given as strings and strings given as numbers. It never builds a tree. The
// first failure sticks: after it every method returns zero values and every
// loop over members or elements ends, so callers check err once.
//
// Slices it returns are windows into b, or fresh memory where a string had to
// be unescaped. Java: com.alibaba.fastjson.parser.JSONLexerBase.
type jsonReader struct {
	b     []byte
	i     int
	depth int
	comma bool // a value was just read: a comma or a bracket must follow
	err   *syntaxError

	memory *memory // what may be allocated for what is kept; nil: anything
}

// begin readies r for a text of its own.
func (r *jsonReader) begin(b []byte) {
	*r = jsonReader{b: b}
	if len(b) >= 3 && string(b[:3]) == "\uFEFF" {
		r.i = 3
	}
}

// end checks that nothing follows the value but white space, comments and
// NUL bytes. Java: DefaultJSONParser#close, which wants the lexer at its end.
func (r *jsonReader) end() {
	r.space()
	for r.i < len(r.b) && r.b[r.i] == 0 {
		r.i++
		r.space()
	}
	if r.i < len(r.b) {
		r.fail("text after the end of the value")
	}
}

func (r *jsonReader) fail(reason string) {
	if r.err == nil {
		near := r.b[max(r.i-16, 0):min(r.i+16, len(r.b))]
		r.err = &syntaxError{offset: r.i, reason: reason + ", near " + strconv.Quote(string(near))}
	}
	r.i = len(r.b)
}

// space steps over white space and comments, wherever tokens may be apart.
// Java: JSONLexerBase#skipWhitespace, #skipComment.
func (r *jsonReader) space() {
	for r.i < len(r.b) {
		switch r.b[r.i] {
		case ' ', '\t', '\n', '\r', '\f', '\b':
			r.i++
		case '/':
			r.comment()
		default:
			return
		}
	}
}

// comment steps over one comment, the slash being at hand. A comment of one line
// may end with the text; the other must be closed.
func (r *jsonReader) comment() {
	if r.i+1 < len(r.b) {
		switch r.b[r.i+1] {
		case '/':
			for r.i < len(r.b) && r.b[r.i] != '\n' {
				r.i++
			}
			return
		case '*':
			for j := r.i + 3; j < len(r.b); j++ {
				if r.b[j] == '/' && r.b[j-1] == '*' {
					r.i = j + 1
					return
				}
			}
		}
	}
	r.fail("unfinished comment")
}

// peek returns the first byte of what comes next, 0 at the end.
func (r *jsonReader) peek() byte {
	if r.i < len(r.b) && r.b[r.i] > ' ' && r.b[r.i] != '/' {
		return r.b[r.i]
	}
	r.space()
	if r.i < len(r.b) {
		return r.b[r.i]
	}
	return 0
}

// open steps over the bracket that starts an object or array.
func (r *jsonReader) open(bracket byte, otherwise string) bool {
	if r.peek() != bracket {
		r.fail(otherwise)
		return false
	}
	if r.depth++; r.depth > maxDepth {
		r.fail("nested too deep")
		return false
	}
	r.i++
	r.comma = false
	return true
}

// room reports whether a list or table of n entries may have one more, and
// fails otherwise.
func (r *jsonReader) room(n int) bool {
	if n >= maxEntries {
		r.fail("too many entries")
	}
	return r.err == nil
}

func (r *jsonReader) object() bool { return r.open('{', "not an object") }
func (r *jsonReader) array() bool  { return r.open('[', "not an array") }

// separated steps over commas, as many as there are, and returns the first
// byte after them. It reports false, and steps over it, when that byte is the
// closing bracket.
// Java: Feature.AllowArbitraryCommas, which is on by default.
func (r *jsonReader) separated(closing byte) (c byte, more bool) {
	for {
		switch c = r.peek(); c {
		case ',', ';':
			r.i++
			r.comma = false
			continue
		case closing:
			r.i++
			r.depth--
			r.comma = true
			return c, false
		case 0:
			r.fail("unexpected end")
			return 0, false
		}
		if r.comma {
			r.fail("missing comma")
			return 0, false
		}
		r.comma = true
		return c, true
	}
}

// A nameRule says which bare names an object may have.
type nameRule bool

const (
	wordNames nameRule = false // bare words, as in beans and in maps with string keys
	anyNames  nameRule = true  // numbers too, as in maps with integer keys
)

// member steps to the next member's value and returns its name; ok is false
// after the last one, or on failure.
func (r *jsonReader) member(rule nameRule) (name []byte, ok bool) {
	c, more := r.separated('}')
	if !more {
		return nil, false
	}
	return r.name(c, rule)
}

// name reads a member's name, of which c is the first byte, and the colon. Quotes
// may be single ones, or none at all around a word.
// Java: Feature.AllowSingleQuotes, AllowUnQuotedFieldNames; both are on.
func (r *jsonReader) name(c byte, rule nameRule) (name []byte, ok bool) {
	switch {
	case c == '"' || c == '\'':
		name = r.quoted(c)
	case rule == anyNames && (isDigit(c) || c == '-'):
		name, _ = r.number()
	default:
		name = r.word()
	}
	if r.peek() != ':' {
		r.fail("missing colon")
		return nil, false
	}
	r.i++
	return name, true
}

// element steps to the next element of an array; it reports false after the
// last one, or on failure. Java: DefaultJSONParser#parseArray.
func (r *jsonReader) element() bool {
	_, more := r.separated(']')
	return more
}

// word reads a bare name. Java: JSONLexerBase#scanSymbolUnQuoted, whose table
// of identifier characters ends at U+00FF.
func (r *jsonReader) word() []byte {
	start := r.i
	for r.i < len(r.b) {
		c := r.b[r.i]
		if c < utf8.RuneSelf {
			if !isWordByte(c) || r.i == start && isDigit(c) {
				break
			}
			r.i++
			continue
		}
		u, size := utf8.DecodeRune(r.b[r.i:])
		if u <= 0xFF {
			break
		}
		r.i += size
	}
	if r.i == start {
		r.fail("not a name")
		return nil
	}
	return r.b[start:r.i]
}

// literal steps over a bare word such as true, if it is what comes next.
func (r *jsonReader) literal(word string) bool {
	if len(r.b)-r.i < len(word) || string(r.b[r.i:r.i+len(word)]) != word {
		return false
	}
	if end := r.i + len(word); end < len(r.b) && (isWordByte(r.b[end]) || r.b[end] >= utf8.RuneSelf) {
		return false
	}
	r.i += len(word)
	return true
}

// null steps over a value that reads as null, if that is what comes next. Java
// takes undefined and NaN for null too. Java: DefaultJSONParser#parse, tokens
// NULL, UNDEFINED and NaN.
func (r *jsonReader) null() bool {
	switch r.peek() {
	case 'n':
		return r.literal("null")
	case 'u':
		return r.literal("undefined")
	case 'N':
		return r.literal("NaN")
	}
	return false
}

// quoted reads the string that starts with the quote at hand.
func (r *jsonReader) quoted(quote byte) []byte {
	r.i++
	start := r.i
	i := start
	for {
		if quote == '"' {
			i = skipPlain(r.b, i)
		}
		if i >= len(r.b) {
			r.i = start
			r.fail("unfinished string")
			return nil
		}
		switch r.b[i] {
		case quote:
			r.i = i + 1
			return r.b[start:i:i]
		case '\\':
			return r.unescape(start, i, quote)
		}
		i++
	}
}

// unescape reads the rest of a string from its first backslash on. Beyond what
// JSON has, fastjson knows \v, \F, \', \xHH and \0 to \7; any other letter is an
// error. Escapes are UTF-16 units, so two of them may be one character.
// Java: JSONLexerBase#scanString.
func (r *jsonReader) unescape(start, i int, quote byte) []byte {
	size := unescapedSize(r.b[start:], i-start, quote)
	if !r.spend(size) {
		return nil
	}
	out := append(make([]byte, 0, size), r.b[start:i]...)
	for i < len(r.b) {
		c := r.b[i]
		switch {
		case c == quote:
			r.i = i + 1
			return out
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i++; i == len(r.b) {
			break
		}
		c = r.b[i]
		i++
		switch {
		case c == 'u':
			u, ok := hex4(r.b, i)
			if !ok {
				r.i = i
				r.fail("bad \\u escape")
				return nil
			}
			i += 4
			if 0xD800 <= u && u < 0xDC00 && i+1 < len(r.b) && r.b[i] == '\\' && r.b[i+1] == 'u' {
				if low, ok := hex4(r.b, i+2); ok && 0xDC00 <= low && low < 0xE000 {
					u = (u-0xD800)<<10 + (low - 0xDC00) + 0x10000
					i += 6
				}
			}
			out = utf8.AppendRune(out, u) // half a pair becomes U+FFFD
		case c == 'x':
			if i+1 >= len(r.b) || hexDigit(r.b[i]) < 0 || hexDigit(r.b[i+1]) < 0 {
				r.i = i
				r.fail("bad \\x escape")
				return nil
			}
			out = utf8.AppendRune(out, hexDigit(r.b[i])<<4|hexDigit(r.b[i+1]))
			i += 2
		case escapes[c] != 0:
			out = append(out, escapes[c]&0x7F)
		default:
			r.i = i - 1
			r.fail("unknown escape")
			return nil
		}
	}
	r.i = start
	r.fail("unfinished string")
	return nil
}

// unescapedSize returns how many bytes of b, a string from behind its quote with
// a backslash at i, are the string. No escape is shorter than what it stands for.
func unescapedSize(b []byte, i int, quote byte) int {
	for ; i < len(b) && b[i] != quote; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i, len(b))
}

// escapes maps the letter after a backslash to what it stands for, plus 0x80.
// Java: JSONLexerBase#scanString.
var escapes = [256]byte{
	'b': 0x80 | '\b', 't': 0x80 | '\t', 'n': 0x80 | '\n', 'v': 0x80 | '\v', 'f': 0x80 | '\f', 'F': 0x80 | '\f', 'r': 0x80 | '\r',
	'"': 0x80 | '"', '\'': 0x80 | '\'', '/': 0x80 | '/', '\\': 0x80 | '\\',
	'0': 0x80, '1': 0x81, '2': 0x82, '3': 0x83, '4': 0x84, '5': 0x85, '6': 0x86, '7': 0x87,
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var u rune
	for _, c := range b[i : i+4] {
		d := hexDigit(c)
		if d < 0 {
			return 0, false
		}
		u = u<<4 | d
	}
	return u, true
}

func hexDigit(c byte) rune {
	switch {
	case isDigit(c):
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWordByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || isDigit(c) || c == '_' || c == '$'
}

// skipPlain returns the index of the first byte at or after i that is a double
// quote, a backslash, a control character or not ASCII; len(b) if there is
// none. It looks at eight bytes at a time.
func skipPlain(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// A byte x makes its high bit 1 in (x-n) &^ x when x < n. A borrow can
		// only spoil bytes above the first hit, and the first is what we want.
		found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w | w) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)>>3
		}
		i += 8
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= 0x20 && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// validText returns b with every byte that is not UTF-8 replaced by U+FFFD,
// as Java does when it makes a String of it. Usually that is b itself.
func validText(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for len(b) > 0 {
		u, size := utf8.DecodeRune(b)
		out = utf8.AppendRune(out, u)
		b = b[size:]
	}
	return out
}
