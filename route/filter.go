package route

import "slices"

// putFilterServers stores the filter servers of one live broker. A nil list
// leaves them as they are, an empty one removes them. Under mu; the caller
// refreshes the broker sets that own the live entry.
// Java: RouteInfoManager#registerBroker, filterServerTable.
func (t *Table) putFilterServers(k BrokerKey, servers []string, null bool) {
	if !null && !slices.Equal(t.filterServerTable[k], servers) {
		t.setFilterServers(k, slices.Clone(servers))
	}
}

// setFilterServers makes servers the list of k. Under mu.
func (t *Table) setFilterServers(k BrokerKey, servers []string) {
	t.entries += len(servers) - len(t.filterServerTable[k])
	if len(servers) == 0 {
		delete(t.filterServerTable, k)
		return
	}
	t.filterServerTable[k] = servers
}
