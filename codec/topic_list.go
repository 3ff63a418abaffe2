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

// EachTopic reads a TopicList, in either dialect, and calls f with each topic in the
// order of the list, until f returns false; names are borrowed until f returns. There may
// be a million of them, so it keeps none. What f was told before an error counts for
// nothing. It fails with a *BodyError.
// Java: RemotingSerializable#decode(byte[], TopicList.class).
func EachTopic(body []byte, f func(name []byte) bool) error {
	var r jsonReader
	r.begin(body)
	if r.object() {
		for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
			var buf [32]byte
			if string(smartName(&buf, name)) != "topiclist" {
				r.skip()
				continue
			}
			if r.null() || !r.array() {
				continue
			}
			for ok := r.element(); ok; ok = r.element() {
				if topic := r.text(); r.err == nil && !f(topic) {
					return nil
				}
			}
		}
	}
	r.end()
	if r.err != nil {
		return r.err.inBody("TopicList")
	}
	return nil
}
