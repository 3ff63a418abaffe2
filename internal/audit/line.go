package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// A Line is what one line says, beside what the log itself adds. The texts of peers are
// clipped by who makes it. Fields that are empty are left out.
type Line struct {
	Event string `json:"event,omitempty"` // what has happened, where nobody has asked for it

	Peer string `json:"peer,omitempty"` // address and port: who a proxy speaks for, if it is trusted
	Via  string `json:"via,omitempty"`  // the proxy
	Conn uint64 `json:"conn,omitempty"`
	TLS  string `json:"tls,omitempty"` // version
	Who  string `json:"who,omitempty"`
	How  string `json:"how,omitempty"` // who it is was found out: address, certificate or token

	Code   int32  `json:"code,omitempty"`
	Name   string `json:"name,omitempty"`  // of the request
	Class  string `json:"class,omitempty"` // the right that it takes, or the role
	Opaque *int32 `json:"opaque,omitempty"`
	Lang   string `json:"lang,omitempty"`
	Ver    string `json:"ver,omitempty"`
	Oneway bool   `json:"oneway,omitempty"`

	Args   Attrs  `json:"args,omitempty"`
	Before *Value `json:"before,omitempty"`
	After  *Value `json:"after,omitempty"`

	Changed bool   `json:"changed,omitempty"`
	Outcome string `json:"outcome,omitempty"` // served, refused, failed or would-refuse
	Reply   *int   `json:"reply,omitempty"`   // response code, or status of HTTP
	Why     string `json:"why,omitempty"`
	Micros  int64  `json:"us,omitempty"` // from its arrival to its answer

	LeftOut uint64 `json:"leftOut,omitempty"` // lines of the same peer that were left out since the last one, because there were too many
}

// maxLine bounds what a line has beside what the log itself adds, in bytes.
const maxLine = 64 << 10

// encode returns the members of a line, without braces. No text in it can end the line,
// begin another one, or do something to a terminal.
func (l *Line) encode() []byte {
	text := l.json()
	if len(text) > maxLine {
		short := *l
		short.Args, short.Before, short.After = Attrs{slog.Int("tooLong", len(text))}, nil, nil
		text = short.json()
	}
	return text[1 : len(text)-1]
}

func (l *Line) json() []byte {
	text, err := json.Marshal(l)
	if err != nil { // no type in it can fail
		return fmt.Appendf(nil, `{"why":%q}`, "the line cannot be encoded")
	}
	return escaped(text)
}

// escaped writes what cannot be printed as \u: encoding/json does so with the controls of
// ASCII, but not with others, nor with marks that turn the direction of writing.
func escaped(text []byte) []byte {
	if bytes.IndexFunc(text, strange) < 0 {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for _, r := range string(text) {
		switch {
		case !strange(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

func strange(r rune) bool { return r == 0x7f || r >= 0x80 && !unicode.IsPrint(r) }

// Attrs are an object. Of two with one name the first counts.
type Attrs []slog.Attr

// MarshalJSON implements json.Marshaler.
func (a Attrs) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	var seen []string
	for _, attr := range a {
		if slices.Contains(seen, attr.Key) {
			continue
		}
		seen = append(seen, attr.Key)
		if len(out) > 1 {
			out = append(out, ',')
		}
		key, _ := json.Marshal(attr.Key) // a string always can
		value, err := Value(attr.Value).MarshalJSON()
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}

// A Value is a value of the log.
type Value slog.Value

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) {
	switch x := slog.Value(v).Resolve(); x.Kind() {
	case slog.KindGroup:
		return Attrs(x.Group()).MarshalJSON()
	case slog.KindBool, slog.KindInt64, slog.KindUint64:
		return json.Marshal(x.Any())
	default:
		return json.Marshal(x.String())
	}
}
