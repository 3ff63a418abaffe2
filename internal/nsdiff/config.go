package nsdiff

import (
	"slices"
	"strings"
)

// VersionKey is what our servers add to their configuration and Java's do not: the release.
const VersionKey = "version"

// ConfigLines returns the keys of an answer to GET_NAMESRV_CONFIG with their values.
// Nothing in it is escaped.
func ConfigLines(body []byte) map[string]string {
	lines := map[string]string{}
	for line := range strings.SplitSeq(string(body), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok {
			lines[key] = strings.TrimFunc(value, func(c rune) bool { return c <= ' ' }) // Java: String#trim
		}
	}
	return lines
}

// IsLocalKey reports whether each name server has a value of its own for a key: files,
// ports, addresses, and what goes by the machine.
func IsLocalKey(key string) bool {
	lower := strings.ToLower(key)
	for _, what := range localKeyEnds {
		if strings.HasSuffix(lower, what) {
			return true
		}
	}
	return slices.Contains(LocalKeys, key)
}

// localKeyEnds are how keys end that name a file, a port or an address.
var localKeyEnds = []string{"path", "file", "port", "addr", "address", "hosts"}

// LocalKeys are the other keys that differ by nature.
var LocalKeys = []string{
	"addressServerList", "proxyProtocolTrusted", "rocketmqHome", "warmStartIdentity",
	"serverSelectorThreads", // Java has another default, and 0 means what the machine has
	VersionKey,
}

// IdleKeys are Java's keys that mean nothing to our servers, whatever their value.
var IdleKeys = []string{
	"enableControllerInNamesrv", "serverAsyncSemaphoreValue", "serverCallbackExecutorThreads", "serverNettyWorkerGroupEnable",
	"serverOnewaySemaphoreValue", "serverPooledByteBufAllocatorEnable", "serverSocketBacklog", "serverWorkerThreads",
	"unRegisterBrokerQueueCapacity", "useEpollNativeSelector",
}

// SoundsSecret reports whether a key is for a secret, so that nobody is shown its value.
func SoundsSecret(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc([]string{"passw", "secret", "token", "accesskey", "privatekey"}, func(word string) bool {
		return strings.Contains(key, word)
	})
}

// Config returns the keys that at least two servers know, that should be the same, and of
// which they have different values. nil is a server of which it is not known. What a key
// is for one of ours is not compared where it means nothing to it.
func Config(said []map[string]string) []Difference {
	table := map[string][]Value{}
	for i, lines := range said {
		_, ours := lines[VersionKey]
		for key, value := range lines {
			if IsLocalKey(key) || ours && slices.Contains(IdleKeys, key) {
				continue
			}
			if table[key] == nil {
				table[key] = make([]Value, len(said))
			}
			table[key][i] = There(value)
		}
	}
	var all []Difference
	for key, said := range table {
		if differ(said) {
			all = append(all, Difference{Name: key, Said: said})
		}
	}
	sortByName(all)
	return all
}
