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

// withFields returns a copy of fields, in ascending order, in which every name
// of others has its value there. It takes one pass over both, once others are
// sorted, so that many unknown keys cost no more than their text.
func withFields(fields, others []codec.Field) []codec.Field {
	if len(others) == 0 {
		return fields
	}
	others = slices.Clone(others)
	slices.SortStableFunc(others, func(a, b codec.Field) int { return strings.Compare(a.Name, b.Name) })
	merged := make([]codec.Field, 0, len(fields)+len(others))
	for _, f := range others {
		for len(fields) > 0 && fields[0].Name < f.Name {
			merged, fields = append(merged, fields[0]), fields[1:]
		}
		if len(fields) > 0 && fields[0].Name == f.Name {
			fields = fields[1:]
		}
		if last := len(merged) - 1; last >= 0 && merged[last].Name == f.Name {
			merged[last] = f // the last one counts
			continue
		}
		merged = append(merged, f)
	}
	return append(merged, fields...)
}

// withoutField returns fields without name: a copy, unless it is not there.
func withoutField(fields []codec.Field, name string) []codec.Field {
	i, found := slices.BinarySearchFunc(fields, name, byFieldName)
	if !found {
		return fields
	}
	return slices.Delete(slices.Clone(fields), i, i+1)
}
