package namesrv

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/magiconair/properties"

	"gonamesrv/codec"
)

// The text of a properties file, as Java reads and writes it. A library reads
// it, by way of propertyLines.

// Whoever reads a file puts its name before these.
var (
	errMalformedUnicode = errors.New(`malformed \uxxxx encoding`)
	errUTF16            = errors.New("the text is in UTF-16, save it as UTF-8")
)

// byteOrderMark is what some editors put before a text in UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// parseProperties reads the text of a properties file, which is ISO 8859-1.
// Each key is there once, with its last value. Java: Properties#load.
//
// Differs from Java, for which a byte order mark is the beginning of the first
// key, and a text in UTF-16 one of keys that nobody knows.
func parseProperties(text []byte) ([]codec.Field, error) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, errUTF16
	}
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	p, err := loader.LoadBytes(propertyLines(text))
	if err != nil {
		return nil, errMalformedUnicode // no other error is left, and its line is one of propertyLines
	}
	fields := make([]codec.Field, 0, p.Len())
	for _, key := range p.Keys() {
		value, _ := p.Get(key)
		fields = append(fields, codec.Field{Name: key[1:], Value: value})
	}
	return fields, nil
}

// propertyLines returns the text in UTF-8, a line for each property, its key
// behind a dot. The library joins lines and surrogates otherwise than Java, and
// for an empty key, which a peer may send, it fails and leaves a goroutine
// behind for ever.
//
// Differs from Java: a text that ends with a line of only a backslash has no
// empty key for it. Java: Properties.LineReader#readLine.
func propertyLines(text []byte) []byte {
	decoded := make([]rune, len(text))
	for i, c := range text {
		decoded[i] = rune(c)
	}
	var lines, line []byte
	for natural := range strings.SplitSeq(lineEnds.Replace(string(decoded))+"\n", "\n") {
		natural = strings.TrimLeft(natural, " \t\f")
		if len(line) == 0 && (strings.HasPrefix(natural, "#") || strings.HasPrefix(natural, "!")) {
			continue // a backslash does not continue a comment
		}
		line = append(line, natural...)
		if backslashes := len(natural) - len(strings.TrimRight(natural, `\`)); backslashes%2 == 1 {
			line = line[:len(line)-1]
			continue
		}
		if len(line) > 0 {
			lines = append(lines, '.')
			lines = append(lines, propertyEscape.ReplaceAllFunc(line, joinedSurrogates)...)
			lines = append(lines, '\n')
		}
		line = line[:0]
	}
	return lines
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// propertyEscape is an escape, or the two that are one rune.
var propertyEscape = regexp.MustCompile(`\\u(?i:d[89ab])[[:xdigit:]]{2}\\u(?i:d[c-f])[[:xdigit:]]{2}|\\.`)

// joinedSurrogates returns the rune that two escapes are; one it leaves alone.
func joinedSurrogates(escape []byte) []byte {
	if len(escape) < len(`\uD83D\uDE00`) {
		return escape
	}
	var high, low rune
	_, _ = fmt.Sscanf(string(escape), `\u%x\u%x`, &high, &low) // they are hexadecimal digits
	return utf8.AppendRune(nil, utf16.DecodeRune(high, low))
}

// appendProperty appends a line that reads back the same. The library's writer
// has "?" for a rune beyond 16 bits, and does not escape "=" and "#" in a key.
// Java: Properties#store.
func appendProperty(dst []byte, f codec.Field) []byte {
	dst = appendEscaped(dst, f.Name, true)
	dst = append(dst, '=')
	dst = appendEscaped(dst, f.Value, false)
	return append(dst, '\n')
}

func appendEscaped(dst []byte, s string, key bool) []byte {
	for i, c := range s {
		switch {
		case c == '\\' || c == ' ' && (key || i == 0) || key && strings.ContainsRune(":=#!", c):
			dst = append(dst, '\\', byte(c))
		case c < ' ' || c > '~':
			for _, unit := range utf16.AppendRune(nil, c) {
				dst = fmt.Appendf(dst, `\u%04X`, unit)
			}
		default:
			dst = append(dst, byte(c))
		}
	}
	return dst
}
