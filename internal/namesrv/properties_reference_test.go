package namesrv

import (
	"bytes"
	"strings"
	"unicode/utf16"

	"gonamesrv/codec"
)

// The reader of properties files that parseProperties is compared with: Java's,
// step by step, and no library.

// propertyBlanks separate words; a line may begin with them.
const propertyBlanks = " \t\f"

// referenceProperties is parseProperties. Java: Properties#load.
func referenceProperties(text []byte) ([]codec.Field, error) {
	var fields []codec.Field
	index := map[string]int{}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // Java does not know it
	if len(text) > 1 && text[0]^text[1] == 1 && text[0] >= 0xfe {
		return nil, errUTF16
	}
	for len(text) > 0 {
		var line []byte
		line, text = logicalLine(text)
		if len(line) == 0 {
			continue
		}
		key, value := splitProperty(line)
		name, err := unescaped(key)
		if err != nil {
			return nil, err
		}
		f := codec.Field{Name: name}
		if f.Value, err = unescaped(value); err != nil {
			return nil, err
		}
		if i, ok := index[name]; ok {
			fields[i] = f
			continue
		}
		index[name] = len(fields)
		fields = append(fields, f)
	}
	return fields, nil
}

// logicalLine cuts off the first line with those that continue it: a line goes
// on when it ends with a backslash that is not itself escaped. The line is
// empty when it is blank or a comment. Java: Properties.LineReader#readLine; in
// Java 8 what follows a line of only a backslash is no comment.
func logicalLine(text []byte) (line, rest []byte) {
	for len(text) > 0 {
		end := bytes.IndexAny(text, "\r\n")
		if end < 0 {
			end = len(text)
		}
		natural := bytes.TrimLeft(text[:end], propertyBlanks)
		text = text[end:]
		if bytes.HasPrefix(text, []byte("\r\n")) {
			text = text[1:]
		}
		text = text[min(1, len(text)):]
		if len(line) == 0 && (len(natural) == 0 || natural[0] == '#' || natural[0] == '!') {
			return nil, text
		}
		line = append(line, natural...)
		if backslashes := len(natural) - len(bytes.TrimRight(natural, `\`)); backslashes%2 == 0 {
			return line, text
		}
		line = line[:len(line)-1]
	}
	return line, nil
}

// splitProperty cuts a line at the first "=", ":" or blank that is not
// escaped; blanks around a separator belong to neither side.
// Java: Properties#load0.
func splitProperty(line []byte) (key, value []byte) {
	end := 0
	for ; end < len(line) && !strings.ContainsRune(propertyBlanks+"=:", rune(line[end])); end++ {
		if line[end] == '\\' {
			end++
		}
	}
	end = min(end, len(line))
	value = bytes.TrimLeft(line[end:], propertyBlanks)
	if len(value) > 0 && (value[0] == '=' || value[0] == ':') {
		value = bytes.TrimLeft(value[1:], propertyBlanks)
	}
	return line[:end], value
}

// unescaped returns ISO 8859-1 text without its escapes.
// Java: Properties#loadConvert.
func unescaped(text []byte) (string, error) {
	units := make([]uint16, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := uint16(text[i])
		if c != '\\' {
			units = append(units, c)
			continue
		}
		if i++; i == len(text) {
			break
		}
		switch c = uint16(text[i]); c {
		case 't':
			c = '\t'
		case 'r':
			c = '\r'
		case 'n':
			c = '\n'
		case 'f':
			c = '\f'
		case 'u':
			c = 0
			for range 4 {
				if i++; i == len(text) {
					return "", errMalformedUnicode
				}
				digit := strings.IndexByte("0123456789abcdef", text[i]|0x20)
				if digit < 0 || text[i] < '0' {
					return "", errMalformedUnicode
				}
				c = c<<4 | uint16(digit)
			}
		}
		units = append(units, c)
	}
	return string(utf16.Decode(units)), nil
}
