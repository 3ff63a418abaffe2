package codec

// A TopicList is the answer to every request for a list of topics.
// Java: TopicList.
type TopicList struct {
	BrokerAddr    string // omitted when HasBrokerAddr is false
	HasBrokerAddr bool
	Topics        []string
}

// AppendJSON appends l in the legacy dialect.
func (l *TopicList) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	if l.HasBrokerAddr {
		dst = append(dst, `"brokerAddr":`...)
		dst = appendString(dst, l.BrokerAddr, DialectLegacy)
		dst = append(dst, ',')
	}
	dst = append(dst, `"topicList":`...)
	dst = appendStrings(dst, l.Topics, DialectLegacy)
	return append(dst, '}')
}
