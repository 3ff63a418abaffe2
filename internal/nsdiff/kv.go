package nsdiff

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"gonamesrv/codec"
)

// KnownNamespaces are the namespaces of the KV config that programs of RocketMQ write: the
// orders of topics, and which project a machine belongs to, of releases before 4.0.
// Java: NamesrvUtil.
var KnownNamespaces = []string{"ORDER_TOPIC_CONFIG", "PROJECT_CONFIG"}

const (
	shownKey   = 512 // bytes of a namespace and a key; one of ours has no more
	shownValue = 128 // bytes of a value
)

// KV returns what servers say differently of a namespace of the KV config: which keys are
// there, and their values. said are the entries of each server in ascending order of name;
// a namespace that a server does not have is one without entries. nil is a server of which
// it is not known.
//
// A Difference has the namespace and the key in its name, parted by a space, and values as
// ShownValue says. Values whose keys sound like secrets are numbered instead.
func KV(namespace string, said []*codec.KVTable) (all []Difference) {
	at := make([]int, len(said))
	for {
		least, some := "", false
		for i, t := range said {
			if t != nil && at[i] < len(t.Entries) && (!some || t.Entries[at[i]].Name < least) {
				least, some = t.Entries[at[i]].Name, true
			}
		}
		if !some {
			return all
		}
		values := make([]Value, len(said))
		for i, t := range said {
			if t == nil {
				continue
			}
			values[i] = Absent
			if at[i] < len(t.Entries) && t.Entries[at[i]].Name == least {
				values[i] = There(t.Entries[at[i]].Value)
				at[i]++
			}
		}
		if !differ(values) {
			continue
		}
		if SoundsSecret(least) {
			Conceal(values)
		}
		for i := range values {
			values[i].Text = ShownValue(values[i].Text)
		}
		all = append(all, Difference{Name: shownText(namespace, shownKey) + " " + shownText(least, shownKey), Said: values})
	}
}

// ShownValue returns a value as it is shown: a long one is cut, and its checksum tells it
// from others that begin alike.
func ShownValue(value string) string { return shownText(value, shownValue) }

func shownText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	h := fnv.New64a()
	h.Write([]byte(text))
	return fmt.Sprintf("%s… (%d bytes, checksum %016x)", strings.ToValidUTF8(text[:most], ""), len(text), h.Sum64())
}

// Conceal replaces texts by numbers, the same ones by the same: that servers differ may be
// known, in what may not.
func Conceal(said []Value) {
	var texts []string
	for i := range said {
		if v := &said[i]; v.There && v.Text != "" {
			n := slices.Index(texts, v.Text)
			if n < 0 {
				n = len(texts)
				texts = append(texts, v.Text)
			}
			v.Text = fmt.Sprintf("secret %d", n+1)
		}
	}
}
