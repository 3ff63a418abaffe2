package codec

import (
	"encoding/binary"
	"strconv"
)

// minBinaryHeader is the size of a binary header with neither remark nor ext
// fields:
//
//	off size field
//	 0   2   code       int16
//	 2   1   language   int8
//	 3   2   version    int16
//	 5   4   opaque     int32
//	 9   4   flag       int32
//	13   4   remarkLen  int32, 0 = null
//	17   r   remark     UTF-8
//	17+r 4   extLen     int32, bytes of the entries; 0 or less = none
//	21+r e   entries    {nameLen int16, name, valueLen int32, value}...
const minBinaryHeader = 21

// consumeBinaryHeader reads a header in RocketMQ's binary form.
// Java: RocketMQSerializable#rocketMQProtocolDecode.
func (c *Command) consumeBinaryHeader(h []byte) error {
	c.reset()
	if len(h) < minBinaryHeader {
		return binaryError(len(h), "unexpected end")
	}
	c.Code = RequestCode(int16(binary.BigEndian.Uint16(h)))
	c.Language = languageByByte(h[2])
	c.Version = int32(int16(binary.BigEndian.Uint16(h[3:])))
	c.Opaque = int32(binary.BigEndian.Uint32(h[5:]))
	c.Flag = Flag(binary.BigEndian.Uint32(h[9:]))

	i := minBinaryHeader - 4
	remarkLen := int(int32(binary.BigEndian.Uint32(h[13:])))
	if remarkLen < 0 || remarkLen > len(h)-i-4 {
		return binaryError(13, "remark length "+strconv.Itoa(remarkLen)+" out of range")
	}
	if remarkLen > 0 {
		c.Remark = validText(h[i : i+remarkLen : i+remarkLen])
		i += remarkLen
	}

	extLen := int(int32(binary.BigEndian.Uint32(h[i:])))
	if extLen > len(h) {
		return binaryError(i, "length "+strconv.Itoa(extLen)+" of ext fields out of range")
	}
	i += 4
	// Java: the entry that starts before the end is read whole, even when it
	// reaches beyond; it must end within the header, or the body would be cut.
	// Bytes after the last entry are stepped over. Differs from Java, which
	// takes them for the body's first; no peer sends any.
	hasNulls := false
	for end := i + extLen; i < end; {
		if len(h)-i < 2 {
			return binaryError(i, "unexpected end")
		}
		nameLen := int(int16(binary.BigEndian.Uint16(h[i:])))
		i += 2
		if nameLen < 0 || nameLen > extLen || nameLen > len(h)-i-4 {
			return binaryError(i-2, "name length "+strconv.Itoa(nameLen)+" out of range")
		}
		name := h[i : i+nameLen : i+nameLen]
		i += nameLen
		valueLen := int(int32(binary.BigEndian.Uint32(h[i:])))
		i += 4
		if valueLen < 0 || valueLen > extLen || valueLen > len(h)-i {
			return binaryError(i-4, "value length "+strconv.Itoa(valueLen)+" out of range")
		}
		value := h[i : i+valueLen : i+valueLen]
		i += valueLen
		switch name = validText(name); {
		case nameLen == 0: // a null key, never asked for
		case len(c.Ext) == maxExtFields:
			return binaryError(i, "too many ext fields")
		case valueLen == 0:
			hasNulls = true
			c.Ext = append(c.Ext, ExtField{Name: name})
		default:
			c.Ext = append(c.Ext, ExtField{Name: name, Value: validText(value)})
		}
	}
	if hasNulls {
		c.Ext = c.Ext.withoutNulls()
	}
	return nil
}

func binaryError(offset int, reason string) error {
	return &HeaderError{SerializeType: SerializeRocketMQ, Offset: offset, Reason: reason}
}

// appendBinaryHeader appends a header in RocketMQ's binary form. Code and
// version keep their low 16 bits. Java: RocketMQSerializable#rocketMQProtocolEncode.
func (c *Command) appendBinaryHeader(dst []byte) []byte {
	dst = appendBinaryFixed(dst, int32(c.Code), c.Language, c.Version, c.Opaque, c.Flag)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(c.Remark)))
	dst = append(dst, c.Remark...)
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for _, f := range c.Ext {
		dst = appendBinaryField(dst, f.Name, f.Value)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

func appendBinaryFixed(dst []byte, code int32, l LanguageCode, version, opaque int32, f Flag) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	dst = append(dst, byte(l))
	dst = binary.BigEndian.AppendUint16(dst, uint16(version))
	dst = binary.BigEndian.AppendUint32(dst, uint32(opaque))
	return binary.BigEndian.AppendUint32(dst, uint32(f))
}

func appendBinaryField[T ~string | ~[]byte](dst []byte, name, value T) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(name)))
	dst = append(dst, name...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}
