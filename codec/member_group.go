package codec

// A BrokerMemberGroup is the answer to GET_BROKER_MEMBER_GROUP: who is in one
// broker set. Java: BrokerMemberGroup, GetBrokerMemberGroupResponseBody.
type BrokerMemberGroup struct {
	Cluster       string // as asked for, not as known; omitted when HasCluster is false
	BrokerName    string // as asked for; omitted when HasBrokerName is false
	HasCluster    bool
	HasBrokerName bool
	BrokerAddrs   []BrokerAddr // in ascending order of ID
}

// AppendJSON appends g inside its response body, in the legacy dialect.
func (g *BrokerMemberGroup) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"brokerMemberGroup":{"brokerAddrs":`...)
	dst = appendBrokerAddrs(dst, g.BrokerAddrs, DialectLegacy)
	if g.HasBrokerName {
		dst = append(dst, `,"brokerName":`...)
		dst = appendString(dst, g.BrokerName, DialectLegacy)
	}
	if g.HasCluster {
		dst = append(dst, `,"cluster":`...)
		dst = appendString(dst, g.Cluster, DialectLegacy)
	}
	return append(dst, "}}"...)
}
