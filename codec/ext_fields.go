package codec

import (
	"bytes"
	"math"
	"slices"
)

// An ExtField is one entry of extFields, the custom header of a command.
// Both slices are borrowed from the frame.
type ExtField struct{ Name, Value []byte }

// ExtFields are the entries of extFields in the order they were sent. Entries
// whose value is null are left out; in a binary header a value of length zero
// is null. Looking up is linear: a request has a handful of fields, and no
// map needs to be built.
// Java: RemotingCommand.extFields.
type ExtFields []ExtField

// Get returns the value of the field with exactly this name; the last one
// where a name was sent twice. The value is borrowed from the frame. It
// reports false where there is none; a value that was sent empty is found.
func (e ExtFields) Get(name string) (value []byte, ok bool) {
	for i := len(e) - 1; i >= 0; i-- {
		if string(e[i].Name) == name {
			return e[i].Value, true
		}
	}
	return nil, false
}

// text returns the value of a string field, nil where it is absent.
func (e ExtFields) text(name string) []byte {
	v, _ := e.Get(name)
	return v
}

// Int64 returns the value of a long field. It reports false where the field
// is absent or not a decimal number with optional sign: Java logs such a
// value and leaves the field at its default.
// Java: RemotingCommand#decodeCommandCustomHeader, Long#parseLong.
func (e ExtFields) Int64(name string) (v int64, ok bool) {
	b, ok := e.Get(name)
	if !ok {
		return 0, false
	}
	return parseDecimal(b)
}

// Int32 is Int64 for an int field; numbers outside int32 are not ok.
func (e ExtFields) Int32(name string) (v int32, ok bool) {
	n, ok := e.Int64(name)
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, false
	}
	return int32(n), true
}

// Bool returns the value of a boolean field: whether it equals true, ignoring
// case. Everything else is false. It reports whether the field is present.
// Java: Boolean#parseBoolean.
func (e ExtFields) Bool(name string) (v, ok bool) {
	b, ok := e.Get(name)
	return len(b) == 4 && b[0]|0x20 == 't' && b[1]|0x20 == 'r' && b[2]|0x20 == 'u' && b[3]|0x20 == 'e', ok
}

// maxExtFields bounds how many fields one header may have, so that a hostile
// one cannot make much memory of few bytes. Differs from Java, which has no
// bound; the largest header of a real peer has about twenty.
const maxExtFields = 1 << 14

// withoutNulls takes out the fields whose value is nil, and with each those of
// its name that were sent before: a later null replaces what was there.
func (e ExtFields) withoutNulls() ExtFields {
	nulls := map[string]int{} // name to index of its last null
	for i := range e {
		if e[i].Value == nil {
			nulls[string(e[i].Name)] = i
		}
	}
	kept := e[:0]
	for i, f := range e {
		if last, ok := nulls[string(f.Name)]; !ok || i > last {
			kept = append(kept, f)
		}
	}
	return kept
}

// nulls returns the names whose last value is nil, ascending.
func (e ExtFields) nulls() (names [][]byte) {
	seen := map[string]bool{}
	for i := len(e) - 1; i >= 0; i-- {
		if name := string(e[i].Name); !seen[name] {
			seen[name] = true
			if e[i].Value == nil {
				names = append(names, e[i].Name)
			}
		}
	}
	slices.SortFunc(names, bytes.Compare)
	return names
}

// parseDecimal reads a decimal int64 with optional sign and leading zeros,
// and nothing else. Java: Long#parseLong.
func parseDecimal[T ~string | ~[]byte](s T) (v int64, ok bool) {
	i, neg := 0, false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		i, neg = 1, s[0] == '-'
	}
	if i == len(s) {
		return 0, false
	}
	// Counted below zero, where int64 has one number more.
	for ; i < len(s); i++ {
		d := int64(s[i]) - '0'
		if d < 0 || d > 9 || v < (math.MinInt64+d)/10 {
			return 0, false
		}
		v = v*10 - d
	}
	if neg {
		return v, true
	}
	return -v, v != math.MinInt64
}
