package namesrv

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/codec"
	"gonamesrv/meter"
)

// orderTopicConfig is the one namespace that means something to the server:
// topic → "broker-a:8;broker-b:8". Java: NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG.
const orderTopicConfig = "ORDER_TOPIC_CONFIG"

// maxKVConfig bounds the text of the KV config in bytes, because any peer may
// put into it. Any part of it fits a frame of 16 MiB. Where memory is small it is
// an eighth of the budget: a change makes some copies of it.
const maxKVConfig = 8 << 20

func kvConfigLimit(budget int64) int { return int(min(maxKVConfig, budget/8)) }

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
//
// One process writes the file at a time. Another that has the same one knows
// what was there when it started, refuses changes, and takes over with the
// first change after the end of the former. Java: KVConfigManager.
type kvConfig struct {
	log  *slog.Logger
	most int // bytes of its text, see kvConfigLimit
	now  atomic.Pointer[kvState]
	time func() time.Duration // what saving is timed with; constant

	saves, savesFailed atomic.Uint64
	saveTime           meter.Histogram // of both

	mu   sync.Mutex // held by one change from its beginning to its end, file included
	file fileLock   // under mu; its path is "" for a KV config in memory only
}

// A kvState is the KV config at one moment. It never changes.
type kvState struct {
	table   codec.KVConfigTable
	size    int    // of its text, in bytes
	entries int    // keys in all namespaces
	order   []byte // the encoded list of orderTopicConfig, however long; nil where there is no such namespace
}

func newKVState(t codec.KVConfigTable, size int) *kvState {
	s := &kvState{table: t, size: size}
	for i := range t.Namespaces {
		s.entries += len(t.Namespaces[i].Entries)
	}
	if entries, ok := s.namespace(orderTopicConfig); ok {
		s.order = (&codec.KVTable{Entries: entries}).AppendJSON(nil)
	}
	return s
}

// loadKVConfig reads the KV config from its file, and sees to it that no other
// process writes it. Java: KVConfigManager#load.
func loadKVConfig(path string, most int, now func() time.Duration, log *slog.Logger) (*kvConfig, error) {
	k := &kvConfig{log: log, most: most, time: now, file: fileLock{path: path, log: log}}
	k.now.Store(newKVState(codec.KVConfigTable{}, 0))
	if path == "" {
		return k, nil
	}
	if err := cmp.Or(k.file.take(), unwritable(path)); err != nil {
		log.Error("KV config cannot be written, changes of it will be refused", "key", "kvConfigPath", "file", path, "err", remarkOf(err))
	}
	if err := k.read(); err != nil {
		k.file.release()
		return nil, err
	}
	return k, nil
}

// read makes what is in the file the KV config. A file that is missing is an
// empty KV config. One that is blank or broken, as a power loss or a full disk
// leaves it, is replaced by its backup; if that is unusable too, it is an error.
// A blank file without backup is an empty KV config.
//
// Differs from Java, which never reads the backup.
func (k *kvConfig) read() error {
	file, backup := k.file.path, k.file.path+backupSuffix
	text, err := os.ReadFile(file)
	previous, noBackup := os.ReadFile(backup)
	if noBackup == nil && isBlankFile(previous) {
		noBackup = errors.New("is empty")
	}
	if errors.Is(err, fs.ErrNotExist) {
		if noBackup == nil {
			k.log.Warn("KV config file is missing, its backup is not used", "file", file, "backup", backup)
		}
		k.now.Store(newKVState(codec.KVConfigTable{}, 0))
		return nil
	}
	if err != nil {
		return fmt.Errorf("namesrv: KV config: %w", err)
	}
	var t codec.KVConfigTable
	bad := errors.New("is empty")
	if !isBlankFile(text) {
		bad = t.Decode(text)
	} else if noBackup != nil {
		bad = nil
	}
	if bad != nil {
		bad = fmt.Errorf("namesrv: KV config %s: %w", file, bad)
		if noBackup == nil {
			noBackup = t.Decode(previous)
		}
		if errors.Is(noBackup, fs.ErrNotExist) {
			return fmt.Errorf("%w; there is no backup %s", bad, backup)
		}
		if noBackup != nil {
			return fmt.Errorf("%w; its backup %s: %w", bad, backup, noBackup)
		}
		text = previous
		k.log.Error("KV config is broken, its backup is used", "file", file, "backup", backup, "err", bad)
	}
	k.now.Store(newKVState(t, len(text)))
	if n := len(k.now.Load().order); n > maxOrderTopics {
		k.log.Warn("order configuration is too long, registrations are answered without it", "namespace", orderTopicConfig, "size", n, "most", maxOrderTopics)
	}
	return nil
}

// takeOver makes this the process that writes the file, unless it is already.
// What the former one has written is read first. Under mu.
func (k *kvConfig) takeOver() error {
	if k.file.path == "" || k.file.held != nil {
		return nil
	}
	if err := k.file.take(); err != nil {
		return err
	}
	if err := k.read(); err != nil {
		k.file.release() // or the next change would take the file for read
		return err
	}
	k.log.Info("KV config is written by this process from now on", "file", k.file.path)
	return nil
}

// close lets other processes write the file.
func (k *kvConfig) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file.release()
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
		return &refusal{why: reasonConfigLimit, code: codec.RespSystemError, remark: remarkKVNameTooLong(n, maxKVName)}
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
	if err := k.takeOver(); err != nil {
		return err
	}
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
	if len(text) > k.most && len(text) > now.size {
		return &refusal{why: reasonConfigLimit, code: codec.RespSystemError, remark: remarkKVConfigFull(len(text), k.most)}
	}
	if err := t.Decode(text); err != nil {
		return fmt.Errorf("namesrv: KV config cannot be read back: %w", err)
	}
	next := newKVState(t, len(text))
	if n := len(next.order); n > maxOrderTopics && n > len(now.order) {
		return &refusal{why: reasonConfigLimit, code: codec.RespSystemError, remark: remarkOrderTopicsFull(n, maxOrderTopics)}
	}
	if k.file.path != "" {
		if err := k.save(text); err != nil {
			return err
		}
	}
	k.now.Store(next)
	return nil
}

// save writes the file. Under mu.
func (k *kvConfig) save(text []byte) error {
	began := k.time()
	err := saveFile(k.file.path, text, isKVConfig)
	k.saveTime.Add(int64(k.time() - began))
	if err != nil {
		k.savesFailed.Add(1)
		return err
	}
	k.saves.Add(1)
	return nil
}

// isKVConfig reports whether text is worth to be the backup.
func isKVConfig(text []byte) bool {
	var t codec.KVConfigTable
	return !isBlankFile(text) && t.Decode(text) == nil
}

func byNamespaceName(n codec.KVNamespace, name string) int { return strings.Compare(n.Name, name) }

// The log of the KV config is bounded, because any peer may put into it.
const kvLogLines = 1000 // entries

// logKVConfig writes the entries of the KV config into the log.
// Java: KVConfigManager#printAllPeriodically.
func (s *Server) logKVConfig() {
	namespaces := s.kv.now.Load().table.Namespaces
	s.log.Info("KV config", "namespaces", len(namespaces))
	lines := 0
	for _, n := range namespaces {
		for _, f := range n.Entries {
			if lines++; lines <= kvLogLines {
				s.log.Info("KV config entry", "namespace", clip(n.Name), "key", clip(f.Name), "value", shown(f.Name, f.Value))
			}
		}
	}
	if lines > kvLogLines {
		s.log.Info("KV config entries not logged", "suppressed", lines-kvLogLines)
	}
}
