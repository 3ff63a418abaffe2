package codec

import "strconv"

// A TopicQueueMappingInfo maps the logical queues of one static topic to the
// queues of one broker.
// Java: TopicQueueMappingInfo.
type TopicQueueMappingInfo struct {
	Topic       string
	Scope       string // "__global__" where the sender left it out
	TotalQueues int32
	Bname       string // the broker name the mapping belongs to
	Epoch       int64
	Dirty       bool
	CurrIDMap   []QueueID // in ascending order of Logic; nil when the sender wrote null
}

// A QueueID is one pair of currIdMap: logical queue number to queue number
// on the broker.
type QueueID struct {
	Logic    int32
	Physical int32
}

// scopeGlobal is the scope of a mapping whose sender named none.
// Java: MixAll.METADATA_SCOPE_GLOBAL.
const scopeGlobal = "__global__"

// appendJSON appends m; an empty topic or broker name stands for null and is
// left out.
func (m *TopicQueueMappingInfo) appendJSON(dst []byte, dialect Dialect) []byte {
	dst = append(dst, '{')
	if m.Bname != "" {
		dst = append(dst, `"bname":`...)
		dst = appendString(dst, m.Bname, dialect)
		dst = append(dst, ',')
	}
	if m.CurrIDMap != nil {
		dst = append(dst, `"currIdMap":{`...)
		for i, q := range m.CurrIDMap {
			dst = appendComma(dst, i)
			dst = appendIntKey(dst, int64(q.Logic), dialect)
			dst = strconv.AppendInt(dst, int64(q.Physical), 10)
		}
		dst = append(dst, "},"...)
	}
	dst = append(dst, `"dirty":`...)
	dst = strconv.AppendBool(dst, m.Dirty)
	dst = append(dst, `,"epoch":`...)
	dst = strconv.AppendInt(dst, m.Epoch, 10)
	dst = append(dst, `,"scope":`...)
	dst = appendString(dst, m.Scope, dialect)
	if m.Topic != "" {
		dst = append(dst, `,"topic":`...)
		dst = appendString(dst, m.Topic, dialect)
	}
	dst = append(dst, `,"totalQueues":`...)
	dst = strconv.AppendInt(dst, int64(m.TotalQueues), 10)
	return append(dst, '}')
}

// queueMapping reads a TopicQueueMappingInfo into m. Its strings are owned. What
// is absent has the value of Java's no-argument constructor: the global scope, an
// empty map, zeros. Java: TopicQueueMappingInfo.
func (r *jsonReader) queueMapping(m *TopicQueueMappingInfo) {
	*m = TopicQueueMappingInfo{Scope: scopeGlobal, CurrIDMap: []QueueID{}}
	if !r.object() {
		return
	}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		if m.readMember(r, name) {
			continue
		}
		var buf [32]byte
		if !m.readMember(r, mappingNames[string(smartName(&buf, name))]) {
			r.skip()
		}
	}
}

var mappingNames = map[string][]byte{
	"topic": []byte("topic"), "scope": []byte("scope"), "totalqueues": []byte("totalQueues"), "bname": []byte("bname"),
	"epoch": []byte("epoch"), "dirty": []byte("dirty"), "curridmap": []byte("currIdMap"),
}

// readMember reads the member with exactly this name; it reports false, and
// reads nothing, if there is none.
func (m *TopicQueueMappingInfo) readMember(r *jsonReader, name []byte) bool {
	switch string(name) {
	case "topic":
		m.Topic = r.ownText()
	case "scope":
		m.Scope = scopeGlobal
		if s := r.text(); s != nil && r.spend(len(s)) {
			m.Scope = string(s)
		}
	case "totalQueues":
		r.intMember(&m.TotalQueues)
	case "bname":
		m.Bname = r.ownText()
	case "epoch":
		r.longMember(&m.Epoch)
	case "dirty":
		if v, ok := r.bool(); ok {
			m.Dirty = v
		}
	case "currIdMap":
		m.CurrIDMap = r.queueIDs()
	default:
		return false
	}
	return true
}
