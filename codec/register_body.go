package codec

import (
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"slices"
)

// A RegisterBrokerBody is what a broker says of itself in REGISTER_BROKER: all
// its topics, or those that changed, and which version of its table they are.
// Java: RegisterBrokerBody, TopicConfigAndMappingSerializeWrapper.
type RegisterBrokerBody struct {
	DataVersion       DataVersion
	NullDataVersion   bool                // the sender wrote "dataVersion":null
	Topics            []TopicConfig       // as sent; of equal keys the last one counts
	Mappings          []RegisteredMapping // as sent; of equal keys the last one counts
	FilterServers     []string
	FilterServersNull bool // leave the filter servers alone; an empty list removes them

	// Base is what DecodeKnown was told, if Topics leaves out what the body
	// repeats of it; nil if Topics is everything.
	Base *KnownTopics
	// Said is what the body says of topics, for the next DecodeKnown; nil if the
	// body was compressed.
	Said *KnownTopics

	inflated []byte    // what Topics are windows into, when the body was compressed
	text     topicText // what Base and Said come from
}

// TopicCount returns the number of topics, those included that Topics leaves
// out.
func (b *RegisterBrokerBody) TopicCount() int { return len(b.Topics) + b.text.skipped() }

// Lists reports whether the body lists a topic of this name; by chance, 1 in 10^9
// for each topic that Topics leaves out, also when it does not.
func (b *RegisterBrokerBody) Lists(topic string) bool {
	if slices.ContainsFunc(b.Topics, func(tc TopicConfig) bool { return string(tc.Name) == topic }) {
		return true
	}
	return b.Base != nil && slices.Contains(b.text.names, uint32(maphash.String(textSeed, topic)))
}

// A RegisteredMapping is one entry of topicQueueMappingInfoMap.
type RegisteredMapping struct {
	Key  string // the key in the map: the topic
	Info TopicQueueMappingInfo
}

// BodyCRC32 returns the checksum a broker sends as bodyCrc32: CRC-32 (IEEE)
// of the body as transmitted, without its highest bit. Java: UtilAll#crc32.
func BodyCRC32(body []byte) int32 {
	return int32(crc32.ChecksumIEEE(body) & 0x7FFFFFFF)
}

// What a reused RegisterBrokerBody keeps at most between two bodies.
const (
	maxKeptInflated = 16 << 20 // bytes
	maxKeptTopics   = 1 << 17
)

// Decode reads the body of REGISTER_BROKER and replaces everything b held; the
// slices of b are used again. version is the request's; compressed its ext
// field; nowMillis, milliseconds since the Unix epoch, is the timestamp of a
// data version that has none.
//
// The names in Topics are windows into body or, for a compressed body, into
// memory that b uses again in its next Decode. All strings are owned.
//
// It fails with a *BodyError, ErrInflatedTooLarge or ErrVersion; b then holds
// nothing to rely on. Java: DefaultRequestProcessor#registerBroker,
// RegisterBrokerBody#decode.
func (b *RegisterBrokerBody) Decode(body []byte, version int32, compressed bool, nowMillis int64) error {
	return b.DecodeKnown(body, version, compressed, nowMillis, nil)
}

// DecodeKnown is Decode for a sender of whose former body known is left: its
// Said. Topics that are written in the same way again are left out of Topics.
// known may be nil.
func (b *RegisterBrokerBody) DecodeKnown(body []byte, version int32, compressed bool, nowMillis int64, known *KnownTopics) error {
	b.reset(nowMillis)
	if version < 0 { // Java: MQVersion#value2Version indexes an array
		return fmt.Errorf("%w: %d", ErrVersion, version)
	}
	hasRegisterBody := min(version, HigherVersion) >= V3_0_11
	if len(body) == 0 {
		b.DataVersion = DataVersion{}
		b.FilterServersNull = !hasRegisterBody
		return nil
	}
	if !hasRegisterBody {
		return b.decodeJSON(body, "TopicConfigSerializeWrapper", nowMillis, known)
	}
	// Differs from Java: 5.x brokers say they do not compress even when they
	// do, so a body is inflated if it looks compressed. No JSON starts with x.
	if compressed || isZlib(body) {
		inflated, err := inflate(b.inflated, body)
		b.inflated = inflated
		if err != nil {
			return err
		}
		return b.decodeCompact(inflated, version >= V5_0_0, nowMillis)
	}
	return b.decodeJSON(body, "RegisterBrokerBody", nowMillis, known)
}

// reset gives b what a body without members means.
func (b *RegisterBrokerBody) reset(nowMillis int64) {
	inflated := b.inflated
	if cap(inflated) > maxKeptInflated {
		inflated = nil
	}
	if cap(b.Topics) > maxKeptTopics {
		b.Topics = nil
	}
	clear(b.Mappings)
	clear(b.FilterServers)
	*b = RegisterBrokerBody{
		DataVersion:   DataVersion{Timestamp: nowMillis},
		Topics:        b.Topics[:0],
		Mappings:      b.Mappings[:0],
		FilterServers: b.FilterServers[:0],
		inflated:      inflated[:0],
		text:          b.text,
	}
	b.text.begin(nil)
}

// decodeJSON reads an uncompressed body, of the given Java class.
func (b *RegisterBrokerBody) decodeJSON(body []byte, class string, nowMillis int64, known *KnownTopics) error {
	var r jsonReader
	r.begin(body)
	b.Base = known
	if class == "RegisterBrokerBody" {
		b.readBody(&r, nowMillis)
	} else {
		b.FilterServersNull = true
		b.readWrapper(&r, nowMillis, false)
	}
	r.end()
	if r.err != nil {
		return r.err.inBody(class)
	}
	if b.text.hasTwins() {
		b.reset(nowMillis)
		return b.decodeJSON(body, class, nowMillis, nil)
	}
	b.Said = b.text.said()
	if b.text.skipped() == 0 {
		b.Base = nil
		b.dropTwins()
	}
	return nil
}

// readBody reads a RegisterBrokerBody.
func (b *RegisterBrokerBody) readBody(r *jsonReader, nowMillis int64) {
	if !r.object() {
		return
	}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		var buf [32]byte
		switch string(smartName(&buf, name)) {
		case "filterserverlist":
			b.readFilterServers(r)
		case "topicconfigserializewrapper":
			b.readWrapper(r, nowMillis, true)
		default:
			r.skip()
		}
	}
}

// readFilterServers reads an array of strings, or null. Null elements are left
// out.
func (b *RegisterBrokerBody) readFilterServers(r *jsonReader) {
	b.FilterServers = b.FilterServers[:0]
	if b.FilterServersNull = r.null(); b.FilterServersNull {
		return
	}
	for ok := r.array() && r.element(); ok; ok = r.element() {
		if s := r.text(); s != nil && r.room(len(b.FilterServers)) {
			b.FilterServers = append(b.FilterServers, string(s))
		}
	}
}

// readWrapper reads a TopicConfigSerializeWrapper; withMappings its subclass
// TopicConfigAndMappingSerializeWrapper.
func (b *RegisterBrokerBody) readWrapper(r *jsonReader, nowMillis int64, withMappings bool) {
	if !r.object() { // null too: Java fails on it later
		return
	}
	b.DataVersion, b.NullDataVersion = DataVersion{Timestamp: nowMillis}, false
	b.Topics, b.Mappings = b.Topics[:0], b.Mappings[:0]
	b.text.begin(b.Base)
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		var buf [32]byte
		switch string(smartName(&buf, name)) {
		case "dataversion":
			b.DataVersion, b.NullDataVersion = r.dataVersion(nowMillis)
		case "topicconfigtable":
			b.readTopics(r)
		case "topicqueuemappinginfomap":
			if withMappings {
				b.readMappings(r)
				continue
			}
			r.skip()
		default:
			r.skip()
		}
	}
}

// readTopics reads a map of TopicConfig, or null.
func (b *RegisterBrokerBody) readTopics(r *jsonReader) {
	b.Topics = b.Topics[:0]
	b.text.begin(b.Base)
	if r.null() || !r.object() {
		return
	}
	for c, more := r.separated('}'); more && r.room(b.TopicCount()); c, more = r.separated('}') {
		if b.text.skip(r) {
			continue
		}
		start := r.i
		key, ok := r.name(c, wordNames)
		if !ok {
			return
		}
		b.Topics = append(b.Topics, TopicConfig{
			Key:            validText(key),
			ReadQueueNums:  defaultQueueNums,
			WriteQueueNums: defaultQueueNums,
			Perm:           defaultPerm,
		})
		t := &b.Topics[len(b.Topics)-1]
		t.read(r)
		b.text.add(r, start, t.Name)
	}
	b.text.finish(r)
}

// readMappings reads a map of TopicQueueMappingInfo, or null.
func (b *RegisterBrokerBody) readMappings(r *jsonReader) {
	b.Mappings = b.Mappings[:0]
	if r.null() || !r.object() {
		return
	}
	for key, ok := r.member(wordNames); ok; key, ok = r.member(wordNames) {
		if !r.room(len(b.Mappings)) {
			return
		}
		m := RegisteredMapping{Key: string(validText(key))}
		r.queueMapping(&m.Info)
		b.Mappings = append(b.Mappings, m)
	}
}

// dropTwins leaves one topic of a table that holds a single key several times:
// a registration of exactly one topic is treated apart. In larger tables twins
// do no harm, the later entry wins.
func (b *RegisterBrokerBody) dropTwins() {
	last := len(b.Topics) - 1
	if last < 1 {
		return
	}
	for i := range last {
		if string(b.Topics[i].Key) != string(b.Topics[last].Key) {
			return
		}
	}
	b.Topics[0] = b.Topics[last]
	b.Topics = b.Topics[:1]
	b.Said = nil
}
