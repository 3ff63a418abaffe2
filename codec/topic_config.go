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

var topicConfigNames = map[string][]byte{
	"topicname": []byte("topicName"), "readqueuenums": []byte("readQueueNums"), "writequeuenums": []byte("writeQueueNums"),
	"perm": []byte("perm"), "topicsysflag": []byte("topicSysFlag"),
	"order": []byte("order"), "attributes": []byte("attributes"), "topicfiltertype": []byte("topicFilterType"),
}

// readMember reads the member with exactly this name; it reports false, and
// reads nothing, if there is none.
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

func parseInt32(b []byte) (int32, bool) {
	v, ok := parseDecimal(b)
	return int32(v), ok && v >= math.MinInt32 && v <= math.MaxInt32
}
