package namesrv

import (
	"slices"
	"strings"

	"gonamesrv/codec"
)

// Tables of names and values are slices in ascending order of name. They are
// shared and never changed: a change makes a copy.

func byFieldName(f codec.Field, name string) int { return strings.Compare(f.Name, name) }

// withField returns a copy of fields in which name has the given value.
func withField(fields []codec.Field, name, value string) []codec.Field {
	i, found := slices.BinarySearchFunc(fields, name, byFieldName)
	fields = slices.Clone(fields)
	if !found {
		fields = slices.Insert(fields, i, codec.Field{})
	}
	fields[i] = codec.Field{Name: name, Value: value}
	return fields
}

// withoutField returns fields without name: a copy, unless it is not there.
func withoutField(fields []codec.Field, name string) []codec.Field {
	i, found := slices.BinarySearchFunc(fields, name, byFieldName)
	if !found {
		return fields
	}
	return slices.Delete(slices.Clone(fields), i, i+1)
}
