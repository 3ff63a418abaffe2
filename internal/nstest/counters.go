package nstest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"gonamesrv/internal/meter"
)

// Counters returns the atomic counters in the struct that p points to and in the structs
// that are part of it. Each has its path as key, such as "cache.used" or "refusals[3]", and
// a function that sets it. Counters follows a pointer or slice only if the name of its field
// is in follow.
func Counters(p any, follow ...string) map[string]func(int64) {
	found := map[string]func(int64){}
	collect(found, "", reflect.ValueOf(p).Elem(), follow)
	return found
}

func collect(found map[string]func(int64), path string, v reflect.Value, follow []string) {
	switch v.Type() {
	case reflect.TypeFor[atomic.Int64]():
		found[path] = (*atomic.Int64)(v.Addr().UnsafePointer()).Store
		return
	case reflect.TypeFor[atomic.Uint64]():
		c := (*atomic.Uint64)(v.Addr().UnsafePointer())
		found[path] = func(n int64) { c.Store(uint64(n)) }
		return
	}
	if v.Type() == reflect.TypeFor[meter.Histogram]() { // all its bins are shown alike
		collect(found, join(path, "bins[0]"), v.FieldByName("bins").Index(0), follow)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if pkg := v.Type().PkgPath(); pkg != "" && !strings.HasPrefix(pkg, "gonamesrv/") {
			return // a lock of the standard library counts, too
		}
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			field := v.Field(i)
			if !slices.Contains(follow, name) && pointsAway(field.Type()) {
				continue
			}
			collect(found, join(path, name), field, follow)
		}
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			collect(found, fmt.Sprintf("%s[%d]", path, i), v.Index(i), follow)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			collect(found, path, v.Elem(), follow)
		}
	}
}

// pointsAway reports whether a value of type t refers to contents outside itself.
func pointsAway(t reflect.Type) bool { return t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// Numbers returns every whole number in v, at any depth, and for each the path of the last
// field that has it.
func Numbers(v any) map[int64]string {
	found := map[int64]string{}
	numbers(found, "", reflect.ValueOf(v))
	return found
}

func numbers(found map[int64]string, path string, v reflect.Value) {
	switch {
	case v.CanInt():
		found[v.Int()] = path
	case v.CanUint():
		found[int64(v.Uint())] = path
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			numbers(found, join(path, v.Type().Field(i).Name), v.Field(i))
		}
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Array:
		for i := range v.Len() {
			numbers(found, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case v.Kind() == reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			numbers(found, fmt.Sprintf("%s[%v]", path, entries.Key()), entries.Value())
		}
	case v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface:
		if !v.IsNil() {
			numbers(found, path, v.Elem())
		}
	}
}
