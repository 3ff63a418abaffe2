package codec

import (
	"math"
	"strconv"
)

// A DataVersion says which state of its topic table a broker has sent.
// A broker registers again in full when the version the name server keeps
// differs from its own, so all three numbers must come back exactly.
// Java: DataVersion.
type DataVersion struct {
	StateVersion int64 // master epoch in controller mode, 0 before RocketMQ 5.0
	Timestamp    int64 // milliseconds since the Unix epoch, by the broker's clock
	Counter      int64
	NoCounter    bool // the sender wrote "counter":null; equal only to another such version
}

// Equal reports whether d and o are the same version. Two versions without a
// counter are. Java: DataVersion#equals.
func (d DataVersion) Equal(o DataVersion) bool {
	return d.StateVersion == o.StateVersion && d.Timestamp == o.Timestamp &&
		d.NoCounter == o.NoCounter && (d.NoCounter || d.Counter == o.Counter)
}

// AppendJSON appends d as a JSON object, without the counter if it has none.
func (d DataVersion) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	if !d.NoCounter {
		dst = append(dst, `"counter":`...)
		dst = strconv.AppendInt(dst, d.Counter, 10)
		dst = append(dst, ',')
	}
	dst = append(dst, `"stateVersion":`...)
	dst = strconv.AppendInt(dst, d.StateVersion, 10)
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, d.Timestamp, 10)
	return append(dst, '}')
}

// DecodeDataVersion reads the body of QUERY_DATA_VERSION. null reports that
// there is none: an empty body, or the word null. A timestamp that the sender
// left out is nowMillis, milliseconds since the Unix epoch. It fails with a
// *BodyError. Java: RemotingSerializable#decode(byte[], DataVersion.class).
func DecodeDataVersion(body []byte, nowMillis int64) (dv DataVersion, null bool, err error) {
	return decodeDataVersion(body, nowMillis, nil)
}

func decodeDataVersion(body []byte, nowMillis int64, m *memory) (dv DataVersion, null bool, err error) {
	var r jsonReader
	r.begin(body)
	r.memory = m
	if len(body) == 0 {
		return DataVersion{}, true, nil
	}
	dv, null = r.dataVersion(nowMillis)
	r.end()
	if r.err != nil {
		return DataVersion{}, false, r.err.inBody("DataVersion")
	}
	return dv, null, nil
}

// dataVersion reads a DataVersion, or null.
func (r *jsonReader) dataVersion(nowMillis int64) (dv DataVersion, null bool) {
	if r.null() {
		return DataVersion{}, true
	}
	dv = DataVersion{Timestamp: nowMillis}
	if !r.object() {
		return dv, false
	}
	for name, ok := r.member(wordNames); ok; name, ok = r.member(wordNames) {
		if dv.readMember(r, name) {
			continue
		}
		var buf [32]byte
		switch string(smartName(&buf, name)) {
		case "counter":
			name = []byte("counter")
		case "stateversion":
			name = []byte("stateVersion")
		case "timestamp":
			name = []byte("timestamp")
		default:
			name = nil
		}
		if !dv.readMember(r, name) {
			r.skip()
		}
	}
	return dv, false
}

// readMember reads the member with exactly this name; it reports false, and
// reads nothing, if there is none.
func (d *DataVersion) readMember(r *jsonReader, name []byte) bool {
	switch string(name) {
	case "counter":
		// An AtomicLong, so null is a value and not the default.
		var ok bool
		d.Counter, ok = r.int64(math.MinInt64, math.MaxInt64)
		d.NoCounter = !ok
	case "stateVersion":
		r.longMember(&d.StateVersion)
	case "timestamp":
		r.longMember(&d.Timestamp)
	default:
		return false
	}
	return true
}
