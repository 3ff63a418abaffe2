package nsctl

import (
	"bytes"
	"strings"

	"gonamesrv/codec"
)

// routeJSON returns a route as topicRoute prints it.
// Java: TopicRouteData#toJson(true), by fastjson2.
func routeJSON(route *codec.TopicRouteData) string {
	return prettyJSON(route.AppendJSON(nil, codec.DialectLegacy)) + "\n"
}

// prettyJSON spreads JSON without blanks over lines, as fastjson2 does: a tab for each
// level, nothing behind a colon, nothing within what is empty. What could do something to a
// terminal is escaped.
func prettyJSON(text []byte) string {
	var b strings.Builder
	level := 0
	newLine := func() { b.WriteString("\n" + strings.Repeat("\t", level)) }
	for len(text) > 0 {
		n := 1
		switch c := text[0]; c {
		case '"':
			n = stringEnd(text)
			b.WriteString(clean(string(text[:n])))
		case '{', '[':
			b.WriteByte(c)
			if len(text) > 1 && text[1] == c+2 { // } and ] are two behind in ASCII
				b.WriteByte(text[1])
				n = 2
				break
			}
			level++
			newLine()
		case '}', ']':
			level--
			newLine()
			b.WriteByte(c)
		case ',':
			b.WriteByte(c)
			newLine()
		default:
			b.WriteByte(c)
		}
		text = text[n:]
	}
	return b.String()
}

// stringEnd returns how long the string is that JSON begins with.
func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(bytes.TrimSpace(text))
}
