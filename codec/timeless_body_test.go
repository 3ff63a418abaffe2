package codec

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	timeHead = `{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":17},`
	timeIn   = `"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1795903396624}`
	timeTail = `,"topicConfigTable":{"T":{}},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}`
)

// TestTimeless finds the time that brokers since 5.0 write anew each time, and nothing that
// only looks like it.
func TestTimeless(t *testing.T) {
	t.Parallel()
	stamp := func(millis string) string {
		return `"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":` + millis + `}`
	}
	for body, want := range map[string]string{
		timeHead + timeIn + timeTail:                           "1795903396624",
		realBody:                                               "1700000000544",
		timeHead + stamp("7") + timeTail:                       "7",
		timeHead + stamp("0") + timeTail:                       "0",
		timeHead + stamp("9223372036854775807") + timeTail:     "9223372036854775807",
		timeHead + timeIn:                                      "1795903396624", // whatever follows
		timeHead + timeIn + "," + stamp("8") + timeTail:        "1795903396624",
		strings.Replace(timeHead, `[]`, `["a:1"]`, 1) + timeIn: "1795903396624",
		strings.Replace(timeHead, `[]`, `["a:1","mappingDataVersion","timestamp\":8}"]`, 1) + timeIn:              "", // an escape
		strings.Replace(timeHead, `[]`, `["a:1","{mappingDataVersion:{timestamp:8}}"]`, 1) + timeIn:               "1795903396624",
		strings.Replace(timeHead, `[]`, `["ä"]`, 1) + timeIn:                                                      "",
		strings.Replace(timeHead, `[]`, `["a",]`, 1) + timeIn:                                                     "",
		strings.Replace(timeHead, `[]`, `["a"`, 1) + timeIn:                                                       "",
		strings.Replace(timeHead, `[]`, `null`, 1) + timeIn:                                                       "",
		strings.Replace(timeHead, `[]`, ` []`, 1) + timeIn:                                                        "",
		`{"filterServerList":['` + timeHead[len(`{"filterServerList":[]`):] + timeIn + `']}`:                      "", // one filter server
		`{"filterServerList":[{"x":` + timeHead + timeIn + timeTail + `}]}`:                                       "", // likewise: it is written again
		`{"filterServerList":[],/*` + timeHead[len(`{"filterServerList":[],`):] + timeIn + `*/"x":{}}`:            "",
		`{"filterServerList":[],"topicConfigSerializeWrapper":{"topicConfigTable":{'` + timeIn + `':{}}}}`:        "", // the name of a topic
		`{"filterServerList":[],"topicConfigSerializeWrapper":{"topicConfigTable":{` + timeIn + `}}}`:             "", // a topic
		`{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{` + timeIn + `}}}`:                  "",
		`{"filterServerList":[],"topicConfigSerializeWrapper":{` + timeIn + timeTail:                              "", // no data version
		strings.Replace(timeHead, `:17`, `:-17`, 1) + timeIn + timeTail:                                           "",
		strings.Replace(timeHead, `:17`, `:"17"`, 1) + timeIn + timeTail:                                          "",
		strings.Replace(timeHead, `"counter":3,`, ``, 1) + timeIn + timeTail:                                      "",
		strings.Replace(timeHead, `"counter":3`, `"counter":null`, 1) + timeIn + timeTail:                         "",
		timeHead + stamp("") + timeTail:                                                                           "",
		timeHead + stamp("-1") + timeTail:                                                                         "",
		timeHead + stamp("1.5") + timeTail:                                                                        "",
		timeHead + stamp("1e5") + timeTail:                                                                        "",
		timeHead + stamp(`"1"`) + timeTail:                                                                        "",
		timeHead + stamp("null") + timeTail:                                                                       "",
		timeHead + stamp("12345678901234567890") + timeTail:                                                       "",
		timeHead + stamp(`1,"more":1`) + timeTail:                                                                 "",
		timeHead + stamp("1 ") + timeTail:                                                                         "",
		timeHead + strings.Replace(timeIn, `"counter":0`, `"counter":1`, 1) + timeTail:                            "",
		timeHead + strings.Replace(timeIn, `"stateVersion":0`, `"stateVersion":1`, 1) + timeTail:                  "",
		timeHead + strings.Replace(timeIn, `mapping`, `Mapping`, 1) + timeTail:                                    "",
		timeHead + `"x":"` + strings.ReplaceAll(timeIn, `"`, `\"`) + `"` + timeTail:                               "",
		timeHead + strings.TrimSuffix(timeIn, "}"):                                                                "",
		" " + timeHead + timeIn + timeTail:                                                                        "",
		"\uFEFF" + timeHead + timeIn + timeTail:                                                                   "",
		string(Compress(nil, (&RegisterBrokerBody{Written: 1795903396624}).AppendCompact(nil, Version))):          "",
		string(Compress(nil, []byte(realBody))):                                                                   "",
		`{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":17},` + timeIn + `,"topicConfigTable":{}}`:      "", // before 3.0.11
		string((&RegisterBrokerBody{Written: 7}).AppendJSON(nil)):                                                 "7",
		string((&RegisterBrokerBody{Written: 7, FilterServers: []string{"f:1", "g:1"}}).AppendJSON(nil)):          "7",
		string((&RegisterBrokerBody{DataVersion: DataVersion{Counter: 3, Timestamp: 123456789}}).AppendJSON(nil)): "123456789",
		"{}": "",
		"":   "",
	} {
		got := Timeless([]byte(body), 0)
		if got.Digits != len(want) || string(got.Before)+want+string(got.After) != body {
			t.Errorf("%.300q: %q, %d digits, %.300q, want without %q", body, got.Before, got.Digits, got.After, want)
		}
		if got.Digits == 0 && got.Before != nil {
			t.Errorf("%.300q is cut", body)
		}
	}
}

// withTime returns body with another time of as many digits; digit is the last one.
func withTime(body []byte, digit byte) []byte {
	b := Timeless(body, 0)
	digits := bytes.Repeat([]byte{'1'}, b.Digits)
	if b.Digits > 0 {
		digits[b.Digits-1] = digit
	}
	return slices.Concat(b.Before, digits, b.After)
}

// decodeShown shows what a body says, or that it cannot be decoded.
func decodeShown(body []byte, version int32, compressed bool) string {
	var b RegisterBrokerBody
	if b.Decode(body, version, compressed, nowMillis) != nil {
		return "an error"
	}
	return showBody(&b)
}

// TestTimelessDecodesAlike cuts bodies of brokers into pieces, leaves some out, adds others
// and finds out what would be another body if the time were another one: none is.
func TestTimelessDecodesAlike(t *testing.T) {
	t.Parallel()
	whole := []string{
		`{`, `"filterServerList":`, `[`, `]`, `,`, `"topicConfigSerializeWrapper":`, `{`,
		`"dataVersion":`, `{"counter":3,"stateVersion":0,"timestamp":17}`, `,`, timeIn, `,`, `"topicConfigTable":`, `{`, `"T":`, `{}`, `}`, `,`,
		`"topicQueueMappingInfoMap":`, `{}`, `}`, `}`,
	}
	odd := append(slices.Clone(whole),
		`'`, `"`, `\`, `\"`, `/*`, `*/`, `//`, "\n", ` `, `;`, `"a"`, `'a'`, `null`, `:`, `"mappingDataVersion":`, `"timestamp":`, `7`, `"x":`, `dataVersion:`, `"TopicConfigTable":`, timeHead, timeTail)
	found, other := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		pieces := slices.Clone(whole)
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			at := rapid.IntRange(0, len(pieces)-1).Draw(t, "at")
			if rapid.Bool().Draw(t, "remove") {
				pieces = slices.Delete(pieces, at, at+1)
			}
			if rapid.Bool().Draw(t, "add") {
				pieces = slices.Insert(pieces, at, rapid.SampledFrom(odd).Draw(t, "piece"))
			}
		}
		body := []byte(strings.Join(pieces, ""))
		if Timeless(body, 0).Digits == 0 {
			other++
			return
		}
		found++
		version := rapid.SampledFrom([]int32{Version, Version, 412, 36, -1}).Draw(t, "version")
		compressed := rapid.IntRange(0, 9).Draw(t, "compressed") == 0
		if a, b := decodeShown(body, version, compressed), decodeShown(withTime(body, '2'), version, compressed); a != b {
			t.Fatalf("%s is\n%s\nand with another time\n%s", body, a, b)
		}
	})
	t.Logf("%d bodies with a time, %d without", found, other)
	if found == 0 || other == 0 {
		t.Error("the test tests nothing")
	}
}

// TestTimelessChecksum: the checksum of a TimelessBody is that of the same body with another
// time if, and only if, both are right, or both are wrong by the same bits.
func TestTimelessChecksum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tail := rapid.SliceOfN(rapid.Byte(), 0, 1000).Draw(t, "tail")
		digits := rapid.SampledFrom([]string{"1", "13", "1795903396624", "9999999999999999999"}).Draw(t, "digits")
		a := slices.Concat([]byte(timeHead), []byte(strings.Replace(timeIn, "1795903396624", digits, 1)), tail)
		b := withTime(a, byte(rapid.IntRange('0', '9').Draw(t, "other")))
		of := func(body []byte, wrong int32) int64 {
			got := Timeless(body, BodyCRC32(body)^wrong)
			if got.Digits != len(digits) {
				t.Fatalf("%q: %d digits", body, got.Digits)
			}
			return got.Checksum
		}
		bit := int32(1) << rapid.IntRange(0, 31).Draw(t, "bit")
		if of(a, 0) != of(b, 0) || of(a, bit) != of(b, bit) || of(a, 0) == of(b, bit) || of(a, bit) == of(b, 0) {
			t.Fatalf("%q and %q: %x, %x, wrong by %x they are %x, %x", a, b, of(a, 0), of(b, 0), uint32(bit), of(a, bit), of(b, bit))
		}
		zeros := slices.Clone(a)
		for i := range len(digits) {
			zeros[len(Timeless(a, 0).Before)+i] = '0'
		}
		if got, want := of(a, 0), int64(BodyCRC32(zeros)); got != want {
			t.Fatalf("%q: %x, want that with zeros, %x", a, got, want)
		}
		if got := Timeless(a, 0).Checksum; got != NoChecksum {
			t.Fatalf("without a checksum it is %x", got)
		}
	})
	for _, checksum := range []int32{1, -1, 1 << 30, -1 << 31} {
		if got := Timeless([]byte("{}"), checksum).Checksum; got != int64(checksum) {
			t.Errorf("without a time: checksum %d, want %d", got, checksum)
		}
	}
}

// FuzzTimeless: another time is no other body, and cuts no other piece out.
func FuzzTimeless(f *testing.F) {
	f.Add([]byte(realBody), int32(Version), byte('2'))
	f.Add([]byte(timeHead+timeIn+timeTail), int32(36), byte('9'))
	f.Add([]byte(`{"filterServerList":["a:1","b"]`+timeHead[len(`{"filterServerList":[]`):]+timeIn+`,`+timeIn+`,"dataVersion":{'timestamp':1}}}`), int32(412), byte('0'))
	f.Fuzz(func(t *testing.T, body []byte, version int32, digit byte) {
		digit = '0' + digit%10
		b := withTime(body, digit)
		was, is := Timeless(body, BodyCRC32(body)), Timeless(b, BodyCRC32(b))
		if was.Digits != is.Digits || !bytes.Equal(was.Before, is.Before) || !bytes.Equal(was.After, is.After) {
			t.Fatalf("%q and %q are cut otherwise", body, b)
		}
		if was.Checksum != is.Checksum {
			t.Fatalf("%q and %q: checksums %x and %x", body, b, was.Checksum, is.Checksum)
		}
		if x, y := decodeShown(body, version, false), decodeShown(b, version, false); x != y {
			t.Fatalf("%q: %s\n%q: %s", body, x, b, y)
		}
	})
}
