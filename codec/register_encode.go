package codec

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"encoding/binary"
	"strconv"
)

// AppendJSON appends b as a 5.x broker sends it uncompressed. A null filter
// server list or data version is written as null, where Java leaves it out.
// Java: RegisterBrokerBody#encode(false).
func (b *RegisterBrokerBody) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"filterServerList":`...)
	dst = b.appendFilterServers(dst)
	dst = append(dst, `,"topicConfigSerializeWrapper":`...)
	dst = b.AppendWrapperJSON(dst)
	return append(dst, '}')
}

// AppendWrapperJSON appends b without its filter servers: the body of brokers
// older than 3.0.11. Java: TopicConfigSerializeWrapper.
func (b *RegisterBrokerBody) AppendWrapperJSON(dst []byte) []byte {
	dst = append(dst, `{"dataVersion":`...)
	dst = b.appendDataVersion(dst)
	dst = append(dst, `,"mappingDataVersion":`...)
	dst = DataVersion{Timestamp: cmp.Or(b.Written, b.DataVersion.Timestamp)}.AppendJSON(dst)
	dst = append(dst, `,"topicConfigTable":{`...)
	for i := range b.Topics {
		dst = appendComma(dst, i)
		dst = appendString(dst, b.Topics[i].Key, DialectLegacy)
		dst = append(dst, ':')
		dst = b.Topics[i].appendJSON(dst)
	}
	dst = append(dst, `},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{`...)
	for i := range b.Mappings {
		dst = appendComma(dst, i)
		dst = appendString(dst, b.Mappings[i].Key, DialectLegacy)
		dst = append(dst, ':')
		dst = b.Mappings[i].Info.appendJSON(dst, DialectLegacy)
	}
	return append(dst, "}}"...)
}

func (b *RegisterBrokerBody) appendDataVersion(dst []byte) []byte {
	if b.NullDataVersion {
		return append(dst, "null"...)
	}
	return b.DataVersion.AppendJSON(dst)
}

func (b *RegisterBrokerBody) appendFilterServers(dst []byte) []byte {
	if b.FilterServersNull {
		return append(dst, "null"...)
	}
	return appendStrings(dst, b.FilterServers, DialectLegacy)
}

// AppendCompact appends the compact form of b as it is before Compress, for a
// request of the given version: with mappings from 5.0.0 on. It has no place
// for sys flags, nor for names with blanks. Java: RegisterBrokerBody#encode(true).
func (b *RegisterBrokerBody) AppendCompact(dst []byte, version int32) []byte {
	dst = appendPiece(dst, b.appendDataVersion)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b.Topics)))
	for i := range b.Topics {
		dst = appendPiece(dst, b.Topics[i].appendLine)
	}
	dst = appendPiece(dst, b.appendFilterServers)
	if version < V5_0_0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b.Mappings)))
	for i := range b.Mappings {
		dst = appendPiece(dst, func(dst []byte) []byte { return b.Mappings[i].Info.appendJSON(dst, DialectLegacy) })
	}
	return dst
}

// appendPiece appends what f appends, with its length before it.
func appendPiece(dst []byte, f func([]byte) []byte) []byte {
	start := len(dst)
	dst = f(append(dst, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// Compress appends src as a zlib stream of level 9, which is what brokers
// send; the bytes may differ from Java's, what they inflate to does not.
func Compress(dst, src []byte) []byte {
	buf := bytes.NewBuffer(dst)
	w, err := zlib.NewWriterLevel(buf, zlib.BestCompression)
	if err == nil {
		_, err = w.Write(src)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a bytes.Buffer never fails, and the level is a constant
	}
	return buf.Bytes()
}

// appendJSON appends t as a 5.x broker sends it.
func (t *TopicConfig) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"attributes":{},"order":false,"perm":`...)
	dst = strconv.AppendInt(dst, int64(t.Perm), 10)
	dst = append(dst, `,"readQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(t.ReadQueueNums), 10)
	dst = append(dst, `,"topicFilterType":"SINGLE_TAG","topicName":`...)
	dst = appendString(dst, t.Name, DialectLegacy)
	dst = append(dst, `,"topicSysFlag":`...)
	dst = strconv.AppendInt(dst, int64(t.TopicSysFlag), 10)
	dst = append(dst, `,"writeQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(t.WriteQueueNums), 10)
	return append(dst, '}')
}

// appendLine appends t in the text form of compact bodies. Java: TopicConfig#encode.
func (t *TopicConfig) appendLine(dst []byte) []byte {
	dst = append(dst, t.Name...)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(t.ReadQueueNums), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(t.WriteQueueNums), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(t.Perm), 10)
	return append(dst, " SINGLE_TAG {}"...)
}
