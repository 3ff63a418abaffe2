package codec

import (
	"strconv"
	"unicode/utf8"
)

// A Dialect is one of the two flavours of JSON a name server writes. They
// differ in strings and in the keys of maps with integer keys.
// Java: RemotingSerializable#encode, ClientRequestProcessor#getRouteInfoByTopic.
type Dialect uint8

const (
	// DialectLegacy is fastjson's default: integer keys stand unquoted, text
	// beyond ASCII raw. It is not JSON that encoding/json could read.
	DialectLegacy Dialect = iota
	// DialectStrict quotes integer keys, escapes the slash and everything
	// beyond ASCII. Java: SerializerFeature.BrowserCompatible, QuoteFieldNames.
	DialectStrict
)

// How an ASCII byte is written inside a string.
const (
	asIs    = iota
	byShort // backslash and a letter
	byCode  // \u and four digits
)

// asciiForm says for each dialect and ASCII byte how it is written.
var asciiForm, shortForm = func() (form [2][utf8.RuneSelf]byte, short [utf8.RuneSelf]byte) {
	for d := range form {
		for c := range 0x20 {
			form[d][c] = byCode
		}
		form[d][0x7F] = byCode
		for c, letter := range map[byte]byte{'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r', '"': '"', '\\': '\\'} {
			form[d][c], short[c] = byShort, letter
		}
	}
	form[DialectStrict]['/'], short['/'] = byShort, '/'
	return form, short
}()

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD. Java: SerializeWriter#writeStringWithDoubleQuote.
func appendString[T ~string | ~[]byte](dst []byte, s T, d Dialect) []byte {
	dst = append(dst, '"')
	form := &asciiForm[d&1]
	start := 0 // s[start:i] is still to be copied
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if form[c] == asIs {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			if form[c] == byShort {
				dst = append(dst, '\\', shortForm[c])
			} else {
				dst = appendUnicode(dst, rune(c))
			}
			i++
			start = i
			continue
		}
		u, size := decodeRune(s[i:])
		switch {
		case d == DialectStrict || u < 0xA0 || u == '\u2028' || u == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = appendUnicode(dst, u)
			start = i + size
		case u == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// decodeRune is utf8.DecodeRune for strings and slices alike.
func decodeRune[T ~string | ~[]byte](s T) (rune, int) {
	var buf [utf8.UTFMax]byte
	return utf8.DecodeRune(buf[:copy(buf[:], s)])
}

// appendUnicode appends u as one escape, or as two where UTF-16 needs a pair.
func appendUnicode(dst []byte, u rune) []byte {
	if u > 0xFFFF {
		u -= 0x10000
		dst = appendUnicode(dst, 0xD800+u>>10)
		u = 0xDC00 + u&0x3FF
	}
	const digits = "0123456789ABCDEF"
	return append(dst, '\\', 'u', digits[u>>12&15], digits[u>>8&15], digits[u>>4&15], digits[u&15])
}

// appendIntKey appends the key of a map with integer keys, and its colon.
func appendIntKey(dst []byte, key int64, d Dialect) []byte {
	if d == DialectLegacy {
		return append(strconv.AppendInt(dst, key, 10), ':')
	}
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, key, 10)
	return append(dst, '"', ':')
}

// appendStrings appends an array of strings.
func appendStrings(dst []byte, list []string, d Dialect) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		dst = appendComma(dst, i)
		dst = appendString(dst, s, d)
	}
	return append(dst, ']')
}

// appendFields appends an object of strings.
func appendFields(dst []byte, fields []Field, d Dialect) []byte {
	dst = append(dst, '{')
	for i := range fields {
		dst = appendComma(dst, i)
		dst = appendString(dst, fields[i].Name, d)
		dst = append(dst, ':')
		dst = appendString(dst, fields[i].Value, d)
	}
	return append(dst, '}')
}

// appendComma appends the comma before the i-th member or element.
func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
