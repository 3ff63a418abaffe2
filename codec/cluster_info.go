package codec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A ClusterInfo is the answer to GET_BROKER_CLUSTER_INFO: every broker set
// and every cluster. Java: ClusterInfo.
type ClusterInfo struct {
	BrokerAddrTable  []BrokerData   // in ascending order of BrokerName
	ClusterAddrTable []ClusterNames // in ascending order of Cluster
}

// A ClusterNames lists the broker sets of one cluster.
type ClusterNames struct {
	Cluster     string
	BrokerNames []string // in ascending order
}

// AppendJSON appends c, always in the legacy dialect: integer keys stand
// unquoted for every client.
func (c *ClusterInfo) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"brokerAddrTable":{`...)
	for i := range c.BrokerAddrTable {
		b := &c.BrokerAddrTable[i]
		dst = appendComma(dst, i)
		dst = appendString(dst, b.BrokerName, DialectLegacy)
		dst = append(dst, ':')
		dst = b.appendJSON(dst, DialectLegacy)
	}
	dst = append(dst, `},"clusterAddrTable":{`...)
	for i := range c.ClusterAddrTable {
		dst = appendComma(dst, i)
		dst = appendString(dst, c.ClusterAddrTable[i].Cluster, DialectLegacy)
		dst = append(dst, ':')
		dst = appendStrings(dst, c.ClusterAddrTable[i].BrokerNames, DialectLegacy)
	}
	return append(dst, "}}"...)
}

// DecodeWithin reads a ClusterInfo in either dialect, as a stranger sends it, and
// replaces everything c held. All strings are owned, lists are in the order that c
// promises. reserve is asked before memory is allocated, as
// [RegisterBrokerBody].Reserve is; nil is any amount. A broker set whose name is null
// has that of its key. It fails with a *BodyError, or with ErrNoMemory.
// Java: RemotingSerializable#decode(byte[], ClusterInfo.class).
func (c *ClusterInfo) DecodeWithin(body []byte, reserve func(bytes int) bool) error {
	*c = ClusterInfo{}
	m := memory{reserve: reserve}
	var r jsonReader
	r.begin(body)
	r.memory = &m
	if r.object() {
		for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
			var buf [32]byte
			switch string(smartName(&buf, name)) {
			case "brokeraddrtable":
				c.BrokerAddrTable = r.brokerAddrTable()
			case "clusteraddrtable":
				c.ClusterAddrTable = r.clusterAddrTable()
			default:
				r.skip()
			}
		}
	}
	r.end()
	switch {
	case m.refused:
		return fmt.Errorf("%w: %d bytes", ErrNoMemory, len(body))
	case r.err != nil:
		return r.err.inBody("ClusterInfo")
	}
	return nil
}

// brokerAddrTable reads a map of broker names to broker sets, or null.
func (r *jsonReader) brokerAddrTable() []BrokerData {
	if r.null() || !r.object() {
		return nil
	}
	table := []BrokerData{}
	for name, ok := r.member(anyNames); ok; name, ok = r.member(anyNames) {
		if table, ok = roomFor(r.memory, table, 0, 0); !r.room(len(table)) || !ok || !r.spend(len(name)) {
			r.fail("no memory")
			break
		}
		key := string(r.validText(name))
		table = append(table, BrokerData{})
		b := &table[len(table)-1]
		b.read(r)
		b.BrokerName = cmp.Or(b.BrokerName, key)
	}
	return sortedByKey(table, func(a, b *BrokerData) int { return strings.Compare(a.BrokerName, b.BrokerName) })
}

// clusterAddrTable reads a map of clusters to lists of broker names, or null.
func (r *jsonReader) clusterAddrTable() []ClusterNames {
	if r.null() || !r.object() {
		return nil
	}
	table := []ClusterNames{}
	for name, ok := r.member(anyNames); ok; name, ok = r.member(anyNames) {
		if table, ok = roomFor(r.memory, table, 0, 0); !r.room(len(table)) || !ok || !r.spend(len(name)) {
			r.fail("no memory")
			break
		}
		c := ClusterNames{Cluster: string(r.validText(name))}
		c.BrokerNames = readList(r, func(s *string, r *jsonReader) { *s = r.ownText() })
		slices.Sort(c.BrokerNames)
		table = append(table, c)
	}
	return sortedByKey(table, func(a, b *ClusterNames) int { return strings.Compare(a.Cluster, b.Cluster) })
}
