package route

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

// lengthen makes one text of a registration as long as it may be, or longer.
func (h *history) lengthen(r *Registration, b *codec.RegisterBrokerBody) {
	more := rapid.IntRange(0, 1).Draw(h.rt, "too long")
	text := func(length int) string { return strings.Repeat("x", length+more) }
	texts := []string{"ha", "zone", "topic", "filter", "mapping"}
	if !h.real {
		texts = append(texts, "cluster", "name", "addr")
	}
	switch pick(h, texts, "long") {
	case "cluster":
		r.Cluster = text(255)
	case "name":
		r.BrokerName = text(255)
	case "addr":
		r.BrokerAddr = text(260)
	case "ha":
		r.HAServerAddr = text(260)
	case "zone":
		r.ZoneName, r.HasZoneName = text(255), true
	case "topic":
		if i := len(b.Topics) - 1; i >= 0 {
			b.Topics[i].Name = []byte(text(512))
			b.Topics[i].Key = b.Topics[i].Name
		}
	case "filter":
		b.FilterServers, b.FilterServersNull = []string{text(260)}, false
	default:
		for i := range b.Mappings {
			b.Mappings[i].Info.Scope = text(255)
		}
	}
}

// fillers make a table of topics longer than what is remembered of it in one
// piece.
func fillers(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("F%02d", i))
	}
	return names
}

func (h *history) registration() *Registration {
	r := &Registration{
		RegistrationHeader: RegistrationHeader{
			Cluster:             pick(h, randomClusters, "cluster"),
			BrokerName:          pick(h, randomNames, "name"),
			BrokerAddr:          pick(h, randomAddrs, "addr"),
			BrokerID:            pick(h, randomIDs, "id"),
			HAServerAddr:        pick(h, []string{"", "ha1", "ha2"}, "ha"),
			ZoneName:            pick(h, []string{"", "z1"}, "zone"),
			TimeoutMillis:       pick(h, randomTimeouts, "timeout"),
			DeleteMissingTopics: rapid.Bool().Draw(h.rt, "delete"),
		},
		Conn: uint64(rapid.IntRange(0, 4).Draw(h.rt, "conn")),
		Peer: pick(h, []netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, "peer"),
	}
	if h.real {
		home := slices.Index(randomAddrs, r.BrokerAddr)
		r.BrokerName, r.Cluster = randomNames[home%2], randomClusters[home%3]
		r.TimeoutMillis = max(r.TimeoutMillis, 0)
	}
	r.HasZoneName = r.ZoneName != ""
	switch pick(h, []string{"absent", "false", "true"}, "acting") {
	case "absent":
		r.OldVersion = true
	case "true":
		r.EnableActingMaster = true
	}
	b := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{
		StateVersion: int64(rapid.IntRange(0, 2).Draw(h.rt, "state")),
		Timestamp:    7,
		Counter:      int64(rapid.IntRange(0, 2).Draw(h.rt, "counter")),
	}}
	for _, name := range randomTopics {
		if !rapid.Bool().Draw(h.rt, name) {
			continue
		}
		queues := int32(rapid.IntRange(1, 2).Draw(h.rt, "queues"))
		b.Topics = append(b.Topics, codec.TopicConfig{
			Name: []byte(name), Key: []byte(name), ReadQueueNums: queues, WriteQueueNums: queues,
			Perm: pick(h, []int32{4, 6, 7}, "perm"), TopicSysFlag: pick(h, []int32{0, 1}, "flag"),
		})
	}
	if rapid.Bool().Draw(h.rt, "lists itself") {
		b.Topics = append(b.Topics, codec.TopicConfig{Name: []byte(r.BrokerName), Key: []byte(r.BrokerName), ReadQueueNums: 1, WriteQueueNums: 1, Perm: 7})
	}
	h.fill(b)
	mapped := []string{r.BrokerName, r.BrokerName, "b2"}
	if h.real {
		mapped = mapped[:1]
	}
	for _, name := range randomTopics[:2] {
		if rapid.IntRange(0, 3).Draw(h.rt, "mapping") == 0 {
			b.Mappings = append(b.Mappings, codec.RegisteredMapping{Key: name, Info: codec.TopicQueueMappingInfo{
				Topic: name, Scope: "__global__", TotalQueues: 2, Epoch: int64(rapid.IntRange(1, 2).Draw(h.rt, "epoch")),
				Bname: pick(h, mapped, "bname"), CurrIDMap: []codec.QueueID{{Logic: 0, Physical: 1}, {Logic: 1, Physical: 0}}[:rapid.IntRange(0, 2).Draw(h.rt, "mapped queues")],
			}})
		}
	}
	switch pick(h, []string{"null", "none", "one", "two"}, "filters") {
	case "null":
		b.FilterServersNull = true
	case "one":
		b.FilterServers = []string{"f1"}
	case "two":
		b.FilterServers = []string{"f1", "f2"}
	}
	if rapid.IntRange(0, 7).Draw(h.rt, "lengthen") == 0 {
		h.lengthen(r, b)
	}
	h.give(r, b)
	return r
}

// crowd lets so many other brokers have the topics that their queue datas are a
// tree; some need wide leaves. They never leave, unless displaced.
func (h *history) crowd() {
	for i := range queueRows + 3 {
		b := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 7}, FilterServersNull: true}
		for _, name := range randomTopics {
			queues := int32(8)
			if i%9 == 4 {
				queues = 1 << 20
			}
			b.Topics = append(b.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: queues, WriteQueueNums: queues, Perm: 6})
		}
		r := &Registration{RegistrationHeader: RegistrationHeader{
			Cluster: "c1", BrokerName: fmt.Sprintf("a%02d", i), BrokerAddr: fmt.Sprintf("crowd%d", i), TimeoutMillis: 1 << 40,
		}, Body: b}
		h.registerBody(r)
		h.ref.register(h.now, r)
	}
}

// give makes b the body of r.
func (h *history) give(r *Registration, b *codec.RegisterBrokerBody) {
	r.Body = b
	h.sent = append(h.sent, r)
}

// fill adds many topics, all the same but a few, or a topic's twin.
func (h *history) fill(b *codec.RegisterBrokerBody) {
	if rapid.Bool().Draw(h.rt, "wide") {
		from := rapid.IntRange(0, 2).Draw(h.rt, "fillers from")
		odd := rapid.IntRange(0, len(fillerTopics)).Draw(h.rt, "odd filler")
		for i, name := range fillerTopics[from:] {
			perm := int32(6)
			if i == odd {
				perm = 4
			}
			b.Topics = append(b.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: 8, WriteQueueNums: 8, Perm: perm})
		}
	}
	if len(b.Topics) > 2 && !h.real && rapid.IntRange(0, 4).Draw(h.rt, "twin") == 0 {
		twin := b.Topics[rapid.IntRange(0, len(b.Topics)-1).Draw(h.rt, "of")]
		twin.ReadQueueNums = 5
		b.Topics = slices.Insert(b.Topics, rapid.IntRange(0, len(b.Topics)).Draw(h.rt, "at"), twin)
	}
}

// bumped is a registration with the next data version, and perhaps one topic
// changed.
func (h *history) bumped(r *Registration) *Registration {
	next, b := *r, *r.Body
	b.DataVersion.Counter++
	if len(b.Topics) > 0 && rapid.Bool().Draw(h.rt, "change") {
		b.Topics = slices.Clone(b.Topics)
		b.Topics[rapid.IntRange(0, len(b.Topics)-1).Draw(h.rt, "changed")].WriteQueueNums++
	}
	h.give(&next, &b)
	return &next
}

// register does what the server does: it tries the cheap way first. The
// reference always goes through the body.
func (h *history) register(r *Registration) {
	h.registrations++
	h.seq++
	r.Seq = h.seq - uint64(pick(h, []int{0, 0, 0, 1, 2, 5}, "waited for"))
	if r.Seq > h.seq {
		r.Seq = 0
	}
	text := h.encode(r)
	r.BodyHash = HashBody(text, codec.Version, false, codec.BodyCRC32(text))
	got, ok := h.table.RegisterUnchanged(h.now, r)
	var err error
	if ok {
		h.unchanged++
	} else {
		got, err = h.registerText(r, text)
	}
	want, wantErr := h.ref.register(h.now, r)
	if got != want || !sameRefusal(err, wantErr) {
		h.rt.Fatalf("register %+v\nwith body %+v\n got %+v, %v\nwant %+v, %v", r.RegistrationHeader, r.Body, got, err, want, wantErr)
	}
}

// sameRefusal reports whether Table and reference have refused for the same
// reason; limits count as one.
func sameRefusal(err, want error) bool {
	var beyond *LimitError
	if want == errBeyond {
		return errors.As(err, &beyond)
	}
	return err == want
}

// encode returns the body of r as its broker sends it, each time with another time in it.
func (h *history) encode(r *Registration) []byte {
	b := *r.Body
	b.Written = 1_795_903_396_624 + int64(h.registrations)
	return b.AppendJSON(nil)
}

// registerBody is the registration of r without the cheap way.
func (h *history) registerBody(r *Registration) (RegisterResult, error) {
	return h.registerText(r, h.encode(r))
}

// registerText decodes the body of r beside what is known.
func (h *history) registerText(r *Registration, text []byte) (RegisterResult, error) {
	var b codec.RegisterBrokerBody
	if err := b.DecodeKnown(text, codec.Version, false, h.now, h.table.KnownTopics(r)); err != nil {
		h.rt.Fatal(err)
	}
	if b.Base != nil {
		h.known++
	}
	decoded := *r
	decoded.Body = &b
	return h.table.RegisterBroker(h.now, &decoded)
}
