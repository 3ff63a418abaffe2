package codec

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
