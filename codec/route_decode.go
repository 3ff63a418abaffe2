package codec

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// Decode reads a TopicRouteData in either dialect and replaces everything d
// held; brokers send one with REGISTER_TOPIC_IN_NAMESRV, of which only
// QueueDatas means anything. All strings are owned. Lists keep their order;
// what Java keeps in maps is sorted. It fails with a *BodyError.
// Java: RemotingSerializable#decode(byte[], TopicRouteData.class).
func (d *TopicRouteData) Decode(body []byte) error { return d.DecodeWithin(body, nil) }

// DecodeWithin is Decode for a stranger's body: reserve is asked before memory is
// allocated for what it says, as [RegisterBrokerBody].Reserve is. If it refuses,
// decoding fails with ErrNoMemory.
func (d *TopicRouteData) DecodeWithin(body []byte, reserve func(bytes int) bool) error {
	*d = TopicRouteData{}
	m := memory{reserve: reserve}
	err := d.decode(body, &m)
	if err != nil && m.refused {
		return fmt.Errorf("%w: %d bytes", ErrNoMemory, len(body))
	}
	return err
}

func (d *TopicRouteData) decode(body []byte, m *memory) error {
	var r jsonReader
	r.begin(body)
	r.memory = m
	if r.object() {
		for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
			d.readMember(&r, name)
		}
	}
	r.end()
	if r.err != nil {
		return r.err.inBody("TopicRouteData")
	}
	return nil
}

// readMember reads the member whose name is like this one, and steps over any
// other. Exact names need no way of their own here: the body is rare.
// Java: JavaBeanDeserializer#parseField, #smartMatch.
func (d *TopicRouteData) readMember(r *jsonReader, name []byte) {
	var buf [32]byte
	switch string(smartName(&buf, name)) {
	case "brokerdatas":
		d.BrokerDatas = readList(r, (*BrokerData).read)
	case "filterservertable":
		d.FilterServerTable = r.filterServers()
	case "ordertopicconf":
		d.OrderTopicConf, d.HasOrderTopicConf = r.ownNullable()
	case "queuedatas":
		d.QueueDatas = readList(r, (*QueueData).read)
	case "topicqueuemappingbybroker":
		d.QueueMappingByBroker = r.queueMappings()
	default:
		r.skip()
	}
}

// readList reads an array of objects, or null, which is nil.
func readList[T any](r *jsonReader, read func(*T, *jsonReader)) []T {
	if r.null() || !r.array() {
		return nil
	}
	list := []T{}
	for ok := r.element(); ok && r.room(len(list)); ok = r.element() {
		if list, ok = roomFor(r.memory, list, 0, 0); !ok {
			r.fail("no memory")
			break
		}
		var none T
		list = append(list, none)
		read(&list[len(list)-1], r)
	}
	return list
}

// read reads one element of brokerDatas. A member that is absent, or null, keeps
// the value of Java's no-argument constructor: no name, no addresses, false.
// Java: BrokerData; JavaBeanDeserializer#deserialze sets what the text names.
func (b *BrokerData) read(r *jsonReader) {
	if !r.object() {
		return
	}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		var buf [32]byte
		switch string(smartName(&buf, name)) {
		case "cluster":
			b.Cluster = r.ownText()
		case "brokername":
			b.BrokerName = r.ownText()
		case "brokeraddrs":
			b.BrokerAddrs = r.brokerAddrs()
		case "enableactingmaster":
			if v, ok := r.bool(); ok {
				b.EnableActingMaster = v
			}
		case "zonename":
			b.ZoneName, b.HasZoneName = r.ownNullable()
		default:
			r.skip()
		}
	}
}

// read reads one element of queueDatas. Here too an absent number is 0, though
// a broker's TopicConfig has defaults of its own. Java: QueueData.
func (q *QueueData) read(r *jsonReader) {
	if !r.object() {
		return
	}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		var buf [32]byte
		switch string(smartName(&buf, name)) {
		case "brokername":
			q.BrokerName = r.ownText()
		case "readqueuenums":
			r.intMember(&q.ReadQueueNums)
		case "writequeuenums":
			r.intMember(&q.WriteQueueNums)
		case "perm":
			r.intMember(&q.Perm)
		case "topicsysflag":
			r.intMember(&q.TopicSysFlag)
		default:
			r.skip()
		}
	}
}

// brokerAddrs reads a map of broker ids to addresses, or null. Brokers write its
// keys bare ({0:"a"}), since fastjson does so with keys that are numbers; a key in
// quotes is as good. Of equal keys the last one counts, as in any HashMap.
// Java: BrokerData.brokerAddrs, a HashMap<Long, String>; MapDeserializer#parseMap.
func (r *jsonReader) brokerAddrs() []BrokerAddr {
	if r.null() || !r.object() {
		return nil
	}
	addrs := []BrokerAddr{}
	for name, ok := r.member(anyNames); ok; name, ok = r.member(anyNames) {
		id, ok := parseDecimal(name)
		if !ok {
			r.fail("broker id out of range")
			break
		}
		if addrs, ok = roomFor(r.memory, addrs, 0, 0); !ok {
			r.fail("no memory")
			break
		}
		addrs = append(addrs, BrokerAddr{ID: id, Addr: r.ownText()})
	}
	return sortedByKey(addrs, func(a, b *BrokerAddr) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
}

// filterServers reads a map of addresses to lists, or null. A list that is null
// stays null: it is left out when it is written again.
// Java: TopicRouteData.filterServerTable, a HashMap<String, List<String>>.
func (r *jsonReader) filterServers() []FilterServers {
	if r.null() || !r.object() {
		return nil
	}
	table := []FilterServers{}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		if !r.room(len(table)) {
			break
		}
		if table, ok = roomFor(r.memory, table, 0, 0); !ok || !r.spend(len(name)) {
			r.fail("no memory")
			break
		}
		f := FilterServers{Addr: string(r.validText(name))}
		f.Servers = readList(r, func(s *string, r *jsonReader) { *s = r.ownText() })
		table = append(table, f)
	}
	return sortedByKey(table, func(a, b *FilterServers) int { return strings.Compare(a.Addr, b.Addr) })
}

// queueMappings reads a map of broker names to mappings, or null, which is what
// brokers without static topics send.
// Java: TopicRouteData.topicQueueMappingByBroker.
func (r *jsonReader) queueMappings() []BrokerQueueMapping {
	if r.null() || !r.object() {
		return nil
	}
	table := []BrokerQueueMapping{}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		if !r.room(len(table)) {
			break
		}
		if table, ok = roomFor(r.memory, table, 0, 0); !ok || !r.spend(len(name)) {
			r.fail("no memory")
			break
		}
		table = append(table, BrokerQueueMapping{BrokerName: string(r.validText(name))})
		r.queueMapping(&table[len(table)-1].Info)
	}
	return sortedByKey(table, func(a, b *BrokerQueueMapping) int { return strings.Compare(a.BrokerName, b.BrokerName) })
}

// queueIDs reads a map of integers, or null. Brokers write its keys unquoted.
// The numbers are read as those of any int member are: in quotes, or with a
// fraction that is cut off. Java: TopicQueueMappingInfo.currIdMap, a
// ConcurrentMap<Integer, Integer>.
func (r *jsonReader) queueIDs() []QueueID {
	if r.null() || !r.object() {
		return nil
	}
	ids := []QueueID{}
	for name, ok := r.member(anyNames); ok; name, ok = r.member(anyNames) {
		logic, ok := parseInt32(name)
		if !ok {
			r.fail("queue number out of range")
			break
		}
		physical, ok := r.int64(math.MinInt32, math.MaxInt32)
		if !ok { // Java: a ConcurrentHashMap takes no null
			r.fail("queue number is null")
			break
		}
		if ids, ok = roomFor(r.memory, ids, 0, 0); !ok {
			r.fail("no memory")
			break
		}
		ids = append(ids, QueueID{Logic: logic, Physical: int32(physical)})
	}
	return sortedByKey(ids, func(a, b *QueueID) int { return int(int64(a.Logic) - int64(b.Logic)) })
}

// sortedByKey sorts what was read of a map; of equal keys the last one stays.
func sortedByKey[T any](list []T, compare func(a, b *T) int) []T {
	inOrder := true
	for i := 1; i < len(list) && inOrder; i++ {
		inOrder = compare(&list[i-1], &list[i]) < 0
	}
	if inOrder { // as every peer of ours sends it
		return list
	}
	sort.SliceStable(list, func(i, j int) bool { return compare(&list[i], &list[j]) < 0 })
	kept := list[:0]
	for i := range list {
		if i+1 == len(list) || compare(&list[i], &list[i+1]) != 0 {
			kept = append(kept, list[i])
		}
	}
	return kept
}
