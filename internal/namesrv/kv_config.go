package namesrv

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gonamesrv/codec"
)

// orderTopicConfig is the one namespace that means something to the server:
// topic → "broker-a:8;broker-b:8". Java: NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG.
const orderTopicConfig = "ORDER_TOPIC_CONFIG"

// maxKVConfig bounds the text of the KV config in bytes, because any peer may
// put into it. Any part of it fits a frame of 16 MiB.
const maxKVConfig = 8 << 20

// maxOrderTopics bounds the encoded list of orderTopicConfig in bytes, because
// every registration is answered with it: room for 25,000 topics. A file that
// has more is used as it is, but registrations are answered without it: to a
// broker this means that nothing has changed.
const maxOrderTopics = 1 << 20

// maxKVName bounds a namespace and a key in bytes; keys are topics.
const maxKVName = 512

// A kvConfig is the KV config: namespaces of keys with values, in memory and
// in a file. A change is in the file before anybody sees it; a change that
// cannot be written does not happen. Reading takes no lock.
// Java: KVConfigManager.
type kvConfig struct {
	path string // "": in memory only
	now  atomic.Pointer[kvState]

	mu sync.Mutex // held by one change from its beginning to its end, file included
	// broken is set while the file is not what now was read from. It must not
	// become the backup, which is all there is.
	broken bool // under mu
}

// A kvState is the KV config at one moment. It never changes.
type kvState struct {
	table codec.KVConfigTable
	size  int    // of its text, in bytes
	order []byte // the encoded list of orderTopicConfig, however long; nil where there is no such namespace
}

func newKVState(t codec.KVConfigTable, size int) *kvState {
	s := &kvState{table: t, size: size}
	if entries, ok := s.namespace(orderTopicConfig); ok {
		s.order = (&codec.KVTable{Entries: entries}).AppendJSON(nil)
	}
	return s
}

// loadKVConfig reads the KV config from its file. A file that is missing or
// empty is an empty KV config. A broken one is replaced by its backup, where
// there is one; without, it is an error. Java: KVConfigManager#load.
//
// Differs from Java, which never reads the backup.
func loadKVConfig(path string, log *slog.Logger) (*kvConfig, error) {
	k := &kvConfig{path: path}
	k.now.Store(newKVState(codec.KVConfigTable{}, 0))
	if path == "" {
		return k, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fmt.Errorf("namesrv: KV config: %w", err)
	}
	var t codec.KVConfigTable
	if len(bytes.TrimSpace(text)) == 0 {
		return k, nil
	}
	if broken := t.Decode(text); broken != nil {
		broken = fmt.Errorf("namesrv: KV config %s: %w", path, broken)
		text, err = os.ReadFile(path + backupSuffix)
		if err == nil && len(bytes.TrimSpace(text)) == 0 {
			err = errors.New("is empty")
		}
		if err == nil {
			err = t.Decode(text)
		}
		if err != nil {
			return nil, fmt.Errorf("%w; its backup %s: %w", broken, path+backupSuffix, err)
		}
		log.Error("KV config is broken, its backup is used", "file", path, "err", broken)
		k.broken = true
	}
	k.now.Store(newKVState(t, len(text)))
	if n := len(k.now.Load().order); n > maxOrderTopics {
		log.Warn("order configuration is too long, registrations are answered without it", "namespace", orderTopicConfig, "size", n, "most", maxOrderTopics)
	}
	return k, nil
}

// get returns the value of a key.
func (k *kvConfig) get(namespace, key string) (value string, ok bool) {
	entries, ok := k.now.Load().namespace(namespace)
	if !ok {
		return "", false
	}
	i, ok := slices.BinarySearchFunc(entries, key, byFieldName)
	if !ok {
		return "", false
	}
	return entries[i].Value, true
}

// list returns the entries of a namespace. They never change.
func (k *kvConfig) list(namespace string) ([]codec.Field, bool) {
	return k.now.Load().namespace(namespace)
}

// orderTable returns the order configuration of all topics, encoded; nil where
// there is none, or more than maxOrderTopics. The bytes never change.
func (k *kvConfig) orderTable() []byte {
	order := k.now.Load().order
	if len(order) > maxOrderTopics {
		return nil
	}
	return order
}

func (s *kvState) namespace(name string) ([]codec.Field, bool) {
	i, ok := slices.BinarySearchFunc(s.table.Namespaces, name, byNamespaceName)
	if !ok {
		return nil, false
	}
	return s.table.Namespaces[i].Entries, true
}

// put sets the value of a key, and makes its namespace. A nil value is Java's
// null: such a key cannot be read, is not listed and is not kept in the file,
// which is to say that it is not there.
func (k *kvConfig) put(namespace, key string, value *string) error {
	if n := max(len(namespace), len(key)); n > maxKVName {
		return &refusal{code: codec.RespSystemError, remark: remarkKVNameTooLong(n, maxKVName)}
	}
	return k.change(namespace, true, func(entries []codec.Field) []codec.Field {
		if value == nil {
			return withoutField(entries, key)
		}
		return withField(entries, key, *value)
	})
}

// delete removes a key. Its namespace stays, even when it is empty then.
func (k *kvConfig) delete(namespace, key string) error {
	return k.change(namespace, false, func(entries []codec.Field) []codec.Field {
		return withoutField(entries, key)
	})
}

// change replaces the entries of a namespace by what edit makes of them, in
// the file and then in memory; edit must leave its argument alone. A change
// that changes nothing does not touch the file.
//
// The whole text is made and read back each time: what readers see is what the
// next start will find. BenchmarkKVConfigPut says what that costs: below 1 ms for
// 1,000 entries.
func (k *kvConfig) change(namespace string, create bool, edit func([]codec.Field) []codec.Field) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now.Load()
	old, exists := now.namespace(namespace)
	if !exists && !create {
		return nil
	}
	entries := edit(old)
	if exists && slices.Equal(entries, old) {
		return nil
	}
	t := codec.KVConfigTable{Namespaces: slices.Clone(now.table.Namespaces)}
	i, _ := slices.BinarySearchFunc(t.Namespaces, namespace, byNamespaceName)
	if !exists {
		t.Namespaces = slices.Insert(t.Namespaces, i, codec.KVNamespace{Name: namespace})
	}
	t.Namespaces[i].Entries = entries
	text := t.AppendJSON(nil)
	if len(text) > maxKVConfig && len(text) > now.size {
		return &refusal{code: codec.RespSystemError, remark: remarkKVConfigFull(len(text), maxKVConfig)}
	}
	if err := t.Decode(text); err != nil {
		return fmt.Errorf("namesrv: KV config cannot be read back: %w", err)
	}
	next := newKVState(t, len(text))
	if n := len(next.order); n > maxOrderTopics && n > len(now.order) {
		return &refusal{code: codec.RespSystemError, remark: remarkOrderTopicsFull(n, maxOrderTopics)}
	}
	if k.path != "" {
		if err := saveFile(k.path, text, !k.broken); err != nil {
			return err
		}
		k.broken = false
	}
	k.now.Store(next)
	return nil
}

func byNamespaceName(n codec.KVNamespace, name string) int { return strings.Compare(n.Name, name) }

// The log of the KV config is bounded, because any peer may put into it.
const (
	kvLogLines  = 1000 // entries
	kvLogLength = 1024 // bytes of a name or a value
)

// logKVConfig writes the entries of the KV config into the log.
// Java: KVConfigManager#printAllPeriodically.
func (s *Server) logKVConfig() {
	namespaces := s.kv.now.Load().table.Namespaces
	s.log.Info("KV config", "namespaces", len(namespaces))
	lines := 0
	for _, n := range namespaces {
		for _, f := range n.Entries {
			if lines++; lines <= kvLogLines {
				s.log.Info("KV config entry", "namespace", shortened(n.Name), "key", shortened(f.Name), "value", shortened(f.Value))
			}
		}
	}
	if lines > kvLogLines {
		s.log.Info("KV config entries not logged", "suppressed", lines-kvLogLines)
	}
}

// shortened returns at most kvLogLength bytes of text.
func shortened(text string) string {
	if len(text) <= kvLogLength {
		return text
	}
	return strings.ToValidUTF8(text[:kvLogLength], "") + "…"
}
