package codec

import (
	"encoding/binary"
	"strconv"
)

// A Field is one name and value to be written: of a reply's extFields, or of
// a table in a body.
type Field struct{ Name, Value string }

// A Reply is what a name server answers to one request.
type Reply struct {
	Code   ResponseCode
	Opaque int32   // of the request
	Remark string  // "" means null
	Ext    []Field // in ascending order of Name; nil is left out, empty is {}
	Body   []byte  // copied into the frame
}

// What stands between the parts of a reply's JSON header. Language, version
// and flag are the same in every reply. Java: RemotingCommand#createResponseCommand.
const (
	replyAfterCode   = `,"flag":1,"language":"JAVA","opaque":`
	replyAfterRemark = `,"serializeTypeCurrentRPC":"JSON","version":479}`
)

// AppendReply appends the whole frame of r, byte for byte as Java writes it.
// It allocates nothing where dst is large enough. A header too long for a
// frame (16 MiB; only a KV config value could be) is replaced by a
// SYSTEM_ERROR reply.
func AppendReply(dst []byte, st SerializeType, r *Reply) []byte {
	start := len(dst)
	dst = beginFrame(dst)
	if st == SerializeRocketMQ {
		dst = r.appendBinaryHeader(dst)
	} else {
		dst = r.appendJSONHeader(dst)
	}
	headerEnd := len(dst)
	dst = append(dst, r.Body...)
	if !endFrame(dst, start, headerEnd, st) {
		n := headerEnd - start - lengthSize - headerWordSize
		return AppendReply(dst[:start], st, &Reply{
			Code: RespSystemError, Opaque: r.Opaque, Remark: "reply header of " + strconv.Itoa(n) + " bytes does not fit a frame",
		})
	}
	return dst
}

func (r *Reply) appendJSONHeader(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(r.Code), 10)
	if r.Ext != nil {
		dst = append(dst, `,"extFields":`...)
		dst = appendFields(dst, r.Ext, DialectLegacy)
	}
	dst = append(dst, replyAfterCode...)
	dst = strconv.AppendInt(dst, int64(r.Opaque), 10)
	if r.Remark != "" {
		dst = append(dst, `,"remark":`...)
		dst = appendString(dst, r.Remark, DialectLegacy)
	}
	return append(dst, replyAfterRemark...)
}

func (r *Reply) appendBinaryHeader(dst []byte) []byte {
	dst = appendBinaryFixed(dst, int32(r.Code), LanguageJava, Version, r.Opaque, FlagResponse)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Remark)))
	dst = append(dst, r.Remark...)
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for i := range r.Ext {
		dst = appendBinaryField(dst, r.Ext[i].Name, r.Ext[i].Value)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// AppendRequest appends the whole frame of c, in the given form; c's own
// SerializeType is not looked at. It is for clients, and for what a name
// server sends to brokers. Ext fields are written in the order given; nil is
// left out, empty is {}. The header must be shorter than 16 MiB, a name
// shorter than 32 KiB.
func AppendRequest(dst []byte, st SerializeType, c *Command) []byte {
	start := len(dst)
	dst = beginFrame(dst)
	if st == SerializeRocketMQ {
		dst = c.appendBinaryHeader(dst)
	} else {
		dst = c.appendJSONHeader(dst)
	}
	headerEnd := len(dst)
	dst = append(dst, c.Body...)
	if !endFrame(dst, start, headerEnd, st) {
		panic("codec: request header does not fit a frame") // our own requests are small
	}
	return dst
}
