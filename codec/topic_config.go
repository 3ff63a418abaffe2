package codec

import (
	"bytes"
	"math"
)

// A TopicConfig is what a broker says of one topic. The name server keeps
// less of it than the broker sends: order, filter type and attributes are
// read over.
// Java: TopicConfig.
type TopicConfig struct {
	Name           []byte // topicName, or the table's key where the sender left it out; borrowed from the body
	Key            []byte // the key in topicConfigTable; borrowed from the body
	ReadQueueNums  int32
	WriteQueueNums int32
	Perm           int32 // bits: 4 read, 2 write, 1 inherit
	TopicSysFlag   int32 // bits: 1 unit, 2 unit subscription
}

// What an absent member of a TopicConfig means. Java: TopicConfig's initialisers.
const (
	defaultQueueNums = 16
	defaultPerm      = 6
)

// read reads a TopicConfig into t, which holds its key and the defaults.
func (t *TopicConfig) read(r *jsonReader) {
	if !t.readUsual(r) {
		t.readAny(r)
	}
}

// readAny reads a TopicConfig however it is written.
func (t *TopicConfig) readAny(r *jsonReader) {
	if !r.object() { // null too: Java fails on it
		return
	}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		if t.readMember(r, name) {
			continue
		}
		var buf [32]byte
		if !t.readMember(r, topicConfigNames[string(smartName(&buf, name))]) {
			r.skip()
		}
	}
	if t.Name == nil {
		t.Name = t.Key
	}
}

// readUsual reads a TopicConfig that is written to the letter as brokers write
// it, which takes a third of the time (BenchmarkRegisterBrokerBody):
//
//	{"attributes":{},"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG",
//	"topicName":"TopicTest","topicSysFlag":0,"writeQueueNums":8}
//
// without attributes before 5.0. It reports false, and has read nothing, if it
// is not.
func (t *TopicConfig) readUsual(r *jsonReader) bool {
	u := usualText{b: r.b[r.i:]}
	v := *t
	if !u.literal(`{"attributes":{},`) && !u.literal(`{`) {
		return false
	}
	if !u.literal(`"order":false,"perm":`) || !u.digits(&v.Perm) ||
		!u.literal(`,"readQueueNums":`) || !u.digits(&v.ReadQueueNums) ||
		!u.literal(`,"topicFilterType":"SINGLE_TAG","topicName":"`) {
		return false
	}
	v.Name = u.plain()
	if !u.literal(`","topicSysFlag":`) || !u.digits(&v.TopicSysFlag) ||
		!u.literal(`,"writeQueueNums":`) || !u.digits(&v.WriteQueueNums) || !u.literal(`}`) {
		return false
	}
	*t = v
	r.i += len(r.b[r.i:]) - len(u.b)
	return true
}

// A usualText is cut off from the left as long as it is what is expected.
type usualText struct{ b []byte }

func (u *usualText) literal(s string) bool {
	if len(u.b) < len(s) || string(u.b[:len(s)]) != s {
		return false
	}
	u.b = u.b[len(s):]
	return true
}

// digits reads a number of one to nine digits.
func (u *usualText) digits(v *int32) bool {
	n, i := int32(0), 0
	for i < len(u.b) && isDigit(u.b[i]) {
		if i++; i > 9 {
			return false
		}
		n = n*10 + int32(u.b[i-1]-'0')
	}
	*v = n
	u.b = u.b[i:]
	return i > 0
}

// plain reads ASCII without quotes, backslashes and control characters.
func (u *usualText) plain() []byte {
	i := skipPlain(u.b, 0)
	v := u.b[:i:i]
	u.b = u.b[i:]
	return v
}

var topicConfigNames = map[string][]byte{
	"topicname": []byte("topicName"), "readqueuenums": []byte("readQueueNums"), "writequeuenums": []byte("writeQueueNums"),
	"perm": []byte("perm"), "topicsysflag": []byte("topicSysFlag"),
	"order": []byte("order"), "attributes": []byte("attributes"), "topicfiltertype": []byte("topicFilterType"),
}

// readMember reads the member with exactly this name; it reports false, and
// reads nothing, if there is none. Members that mean nothing to a name server are
// named all the same: their values are stepped over without another comparison.
// Java: TopicConfig's setters.
func (t *TopicConfig) readMember(r *jsonReader, name []byte) bool {
	switch string(name) {
	case "topicName":
		t.Name = r.text()
	case "readQueueNums":
		r.intMember(&t.ReadQueueNums)
	case "writeQueueNums":
		r.intMember(&t.WriteQueueNums)
	case "perm":
		r.intMember(&t.Perm)
	case "topicSysFlag":
		r.intMember(&t.TopicSysFlag)
	case "order", "attributes", "topicFilterType":
		r.skip()
	default:
		return false
	}
	return true
}

// readLine reads the text form of compact bodies into t:
//
//	name readQueueNums writeQueueNums perm filterType [attributes]
//
// Fields are separated by exactly one blank. It reports false when there are
// fewer than five or one cannot be read; attributes may be anything.
// Java: TopicConfig#decode.
func (t *TopicConfig) readLine(line []byte) bool {
	var fields [5][]byte
	more := true
	for i := range fields {
		if !more {
			return false
		}
		fields[i], line, more = bytes.Cut(line, []byte{' '})
	}
	read, ok1 := parseInt32(fields[1])
	write, ok2 := parseInt32(fields[2])
	perm, ok3 := parseInt32(fields[3])
	filterType := string(fields[4])
	if !ok1 || !ok2 || !ok3 || filterType != "SINGLE_TAG" && filterType != "MULTI_TAG" {
		return false
	}
	name := validText(fields[0])
	*t = TopicConfig{Name: name, Key: name, ReadQueueNums: read, WriteQueueNums: write, Perm: perm}
	return true
}

// parseInt32 is parseDecimal for an int. Java: Integer#parseInt.
func parseInt32(b []byte) (int32, bool) {
	v, ok := parseDecimal(b)
	return int32(v), ok && v >= math.MinInt32 && v <= math.MaxInt32
}
