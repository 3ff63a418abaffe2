package codec

import (
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"slices"
	"unsafe"
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

	// Written is when the body was made, in milliseconds since the Unix epoch, as brokers
	// since 5.0 say it in plain bodies (TimelessBody). AppendJSON writes it, 0 as the time of
	// DataVersion. Decode steps over it.
	Written int64

	// Base is what DecodeKnown was told, if Topics leaves out what the body
	// repeats of it; nil if Topics is everything.
	Base *KnownTopics
	// Said is what the body says of topics, for the next DecodeKnown; nil if the
	// body was compressed.
	Said *KnownTopics

	// Reserve, unless nil, is asked before Decode allocates memory for a body, for
	// some KiB at a time, and before Decode uses memory of the last body again. What
	// it grants is in use until the caller has finished with b. If it refuses,
	// decoding fails with ErrNoMemory.
	Reserve func(bytes int) bool

	memory memory
	names  nameStore // what Topics are windows into, when the body was compressed
	text   topicText // what Base and Said come from
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

// usualTopic is how many bytes a topic of a short name has in JSON.
const usualTopic = 160

// BodyCRC32 returns the checksum a broker sends as bodyCrc32: CRC-32 (IEEE)
// of the body as transmitted, without its highest bit. Java: UtilAll#crc32.
func BodyCRC32(body []byte) int32 {
	return int32(crc32.ChecksumIEEE(body) & crcMask)
}

// What a reused RegisterBrokerBody keeps at most between two bodies.
const (
	maxKeptTopics   = 1 << 17
	maxKeptMappings = 1 << 12 // and filter servers
)

// topicBeside is what is remembered of a topic beside a TopicConfig, in bytes: the
// hash of its name, twice for the time being, and its share in a piece, likewise.
const topicBeside = 3*4 + 2*16/pieceTopics

// Decode reads the body of REGISTER_BROKER and replaces everything b held; the
// slices of b are used again. version is the request's; compressed its ext
// field; nowMillis, milliseconds since the Unix epoch, is the timestamp of a
// data version that has none.
//
// The names in Topics are windows into body or, for a compressed body, into
// memory that b uses again in its next Decode. All strings are owned.
//
// It fails with a *BodyError, ErrInflatedTooLarge, ErrNoMemory or ErrVersion; b
// then holds nothing to rely on. Java: DefaultRequestProcessor#registerBroker,
// RegisterBrokerBody#decode.
func (b *RegisterBrokerBody) Decode(body []byte, version int32, compressed bool, nowMillis int64) error {
	return b.DecodeKnown(body, version, compressed, nowMillis, nil)
}

// DecodeKnown is Decode for a sender of whose former body known is left: its
// Said. Topics that are written in the same way again are left out of Topics.
// known may be nil.
func (b *RegisterBrokerBody) DecodeKnown(body []byte, version int32, compressed bool, nowMillis int64, known *KnownTopics) error {
	b.reset(nowMillis)
	err := b.decode(body, version, compressed, nowMillis, known)
	if err != nil && b.memory.refused {
		return fmt.Errorf("%w: %d bytes", ErrNoMemory, len(body))
	}
	return err
}

func (b *RegisterBrokerBody) decode(body []byte, version int32, compressed bool, nowMillis int64, known *KnownTopics) error {
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
		return b.inflate(body, version >= V5_0_0, nowMillis, MaxInflatedBody)
	}
	return b.decodeJSON(body, "RegisterBrokerBody", nowMillis, known)
}

// reset gives b what a body without members means.
func (b *RegisterBrokerBody) reset(nowMillis int64) {
	b.Forget()
	*b = RegisterBrokerBody{
		DataVersion:   DataVersion{Timestamp: nowMillis},
		Topics:        b.Topics[:0],
		Mappings:      b.Mappings[:0],
		FilterServers: b.FilterServers[:0],
		Reserve:       b.Reserve,
		memory:        memory{reserve: b.Reserve},
		names:         b.names,
		text:          b.text,
	}
	b.text.begin(nil)
	if !b.memory.take(b.kept()) {
		b.Topics, b.Mappings, b.FilterServers, b.names, b.text = nil, nil, nil, nameStore{}, topicText{}
		b.text.begin(nil)
		b.memory.refused = false // it may be too much, and there still be room for this body
	}
}

// Forget drops the content of a body, and gives up memory that is too large to be
// kept for another. Call it when you have finished with b; Decode calls it too.
func (b *RegisterBrokerBody) Forget() {
	if cap(b.Topics) > maxKeptTopics {
		b.Topics = nil
	}
	if cap(b.Mappings) > maxKeptMappings {
		b.Mappings = nil
	}
	if cap(b.FilterServers) > maxKeptMappings {
		b.FilterServers = nil
	}
	clear(b.Topics)
	clear(b.Mappings)
	clear(b.FilterServers)
	b.Topics, b.Mappings, b.FilterServers = b.Topics[:0], b.Mappings[:0], b.FilterServers[:0]
	b.Base, b.Said = nil, nil
	b.names.reset()
	b.text.begin(nil)
}

// kept returns how many bytes b holds in any case.
func (b *RegisterBrokerBody) kept() int {
	return sizeOf(b.Topics) + sizeOf(b.Mappings) + sizeOf(b.FilterServers) + b.names.size() +
		sizeOf(b.text.names) + sizeOf(b.text.pieces) + sizeOf(b.text.decoded)
}

// sizeOf returns how many bytes a list occupies.
func sizeOf[T any](list []T) int {
	var v T
	return cap(list) * int(unsafe.Sizeof(v))
}

// decodeJSON reads an uncompressed body, of the given Java class.
func (b *RegisterBrokerBody) decodeJSON(body []byte, class string, nowMillis int64, known *KnownTopics) error {
	var r jsonReader
	r.begin(body)
	r.memory = &b.memory
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
	if !b.text.reserveSearch(&b.memory) {
		return ErrNoMemory
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
		s := r.text()
		if s == nil || !r.room(len(b.FilterServers)) || !r.spend(len(s)) {
			continue
		}
		if b.FilterServers, ok = roomFor(r.memory, b.FilterServers, 0, 0); !ok {
			r.fail("no memory")
			return
		}
		b.FilterServers = append(b.FilterServers, string(s))
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
	if !b.text.expect(r) || r.null() || !r.object() {
		return
	}
	// If everything is to be decoded, as many topics as usually fit.
	first := 0
	if b.Base == nil {
		first = min((len(r.b)-r.i)/usualTopic, maxEntries)
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
		if b.Topics, ok = roomFor(r.memory, b.Topics, first, topicBeside); !ok {
			r.fail("no memory")
			return
		}
		b.text.grow(cap(b.Topics))
		b.Topics = append(b.Topics, TopicConfig{
			Key:            r.validText(key),
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
		if b.Mappings, ok = roomFor(r.memory, b.Mappings, 0, 0); !ok || !r.spend(len(key)) {
			r.fail("no memory")
			return
		}
		m := RegisteredMapping{Key: string(r.validText(key))}
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
