package codec

import (
	"fmt"
	"strings"
)

// A KVTable is one namespace of the KV config: the answer to
// GET_KVLIST_BY_NAMESPACE, and what REGISTER_BROKER is answered with.
// Java: KVTable.
type KVTable struct {
	Entries []Field // in ascending order of Name
}

// AppendJSON appends t in the legacy dialect.
func (t *KVTable) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"table":`...)
	dst = appendFields(dst, t.Entries, DialectLegacy)
	return append(dst, '}')
}

// DecodeWithin reads a KVTable in either dialect, as a stranger sends it, and replaces
// everything t held. Entries that are null are left out, as if they were not there. All
// strings are owned. reserve is asked before memory is allocated, as
// [RegisterBrokerBody].Reserve is; nil is any amount. It fails with a *BodyError, or with
// ErrNoMemory. Java: RemotingSerializable#decode(byte[], KVTable.class).
func (t *KVTable) DecodeWithin(body []byte, reserve func(bytes int) bool) error {
	*t = KVTable{}
	m := memory{reserve: reserve}
	var r jsonReader
	r.begin(body)
	r.memory = &m
	if r.object() {
		for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
			var buf [32]byte
			if string(smartName(&buf, name)) != "table" {
				r.skip()
			} else if !r.null() {
				t.Entries = r.fields()
			}
		}
	}
	r.end()
	switch {
	case m.refused:
		return fmt.Errorf("%w: %d bytes", ErrNoMemory, len(body))
	case r.err != nil:
		return r.err.inBody("KVTable")
	}
	return nil
}

// A KVConfigTable is the whole KV config, as it stands in its file.
// Java: KVConfigSerializeWrapper.
type KVConfigTable struct {
	Namespaces []KVNamespace // in ascending order of Name
}

// A KVNamespace is one namespace of a KVConfigTable. It may be empty.
type KVNamespace struct {
	Name    string
	Entries []Field // in ascending order of Name
}

// AppendJSON appends t in the legacy dialect, on one line without an end.
func (t *KVConfigTable) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"configTable":{`...)
	for i := range t.Namespaces {
		dst = appendComma(dst, i)
		dst = appendString(dst, t.Namespaces[i].Name, DialectLegacy)
		dst = append(dst, ':')
		dst = appendFields(dst, t.Namespaces[i].Entries, DialectLegacy)
	}
	return append(dst, "}}"...)
}

// Decode reads what AppendJSON or Java wrote, or what an operator made of it,
// and replaces everything t held. Namespaces and entries that are null are
// left out; a text without configTable is an empty table. All strings are
// owned. It fails with a *BodyError. Java: KVConfigManager#load.
func (t *KVConfigTable) Decode(text []byte) error {
	*t = KVConfigTable{}
	var r jsonReader
	r.begin(text)
	if r.object() {
		for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
			var buf [32]byte
			if string(smartName(&buf, name)) == "configtable" {
				t.Namespaces = r.kvNamespaces()
			} else {
				r.skip()
			}
		}
	}
	r.end()
	if r.err != nil {
		return r.err.inBody("KVConfigSerializeWrapper")
	}
	return nil
}

func (r *jsonReader) kvNamespaces() []KVNamespace {
	var table []KVNamespace
	if r.null() || !r.object() {
		return nil
	}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		if !r.null() {
			table = append(table, KVNamespace{Name: string(validText(name)), Entries: r.fields()})
		}
	}
	return sortedByKey(table, func(a, b *KVNamespace) int { return strings.Compare(a.Name, b.Name) })
}

// fields reads a map of strings. A value that is null is left out; Java keeps it
// in its HashMap, where it reads as absent. Java: KVConfigSerializeWrapper.configTable.
func (r *jsonReader) fields() []Field {
	fields := []Field{}
	if !r.object() {
		return nil
	}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		value := r.text()
		if value == nil {
			continue
		}
		if r.memory != nil { // of a stranger
			if fields, ok = roomFor(r.memory, fields, 0, 0); !ok || !r.spend(len(name)+len(value)) {
				r.fail("no memory")
				break
			}
		}
		fields = append(fields, Field{Name: string(r.validText(name)), Value: string(value)})
	}
	return sortedByKey(fields, func(a, b *Field) int { return strings.Compare(a.Name, b.Name) })
}
