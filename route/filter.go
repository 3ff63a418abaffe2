package route

import "slices"

// putFilterServers stores the filter servers of one live broker. A nil list
// leaves them as they are, an empty one removes them. Under mu; the caller
// refreshes the broker sets that own the live entry.
// Java: RouteInfoManager#registerBroker, filterServerTable.
func (t *Table) putFilterServers(k BrokerKey, servers []string, null bool) {
	switch {
	case null:
	case len(servers) == 0:
		delete(t.filterServerTable, k)
	case !slices.Equal(t.filterServerTable[k], servers):
		t.filterServerTable[k] = slices.Clone(servers)
	}
}
