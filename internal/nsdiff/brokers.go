package nsdiff

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"gonamesrv/codec"
)

// MemberText names a member of a broker set, with all that is compared of it.
func MemberText(cluster, name string, id int64, addr string) string {
	return fmt.Sprintf("%s %d@%s in %s", name, id, addr, cluster)
}

// Members yields the texts of all members that an answer to GET_BROKER_CLUSTER_INFO names.
func Members(info *codec.ClusterInfo) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range info.BrokerAddrTable {
			b := &info.BrokerAddrTable[i]
			for _, a := range b.BrokerAddrs {
				if !yield(MemberText(b.Cluster, b.BrokerName, a.ID, a.Addr)) {
					return
				}
			}
		}
	}
}

// Brokers returns the members of broker sets that not all servers have. nil is a server of
// which it is not known.
func Brokers(infos []*codec.ClusterInfo) []Difference {
	table := map[string][]Value{}
	for i, info := range infos {
		if info == nil {
			continue
		}
		for member := range Members(info) {
			said := table[member]
			if said == nil {
				said = make([]Value, len(infos))
				for k := range said {
					said[k].Known = infos[k] != nil
				}
				table[member] = said
			}
			said[i] = There("")
		}
	}
	var all []Difference
	for member, said := range table {
		if differ(said) {
			all = append(all, Difference{Name: member, Said: said})
		}
	}
	sortByName(all)
	return all
}

func sortByName(all []Difference) {
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
}
