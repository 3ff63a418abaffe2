package codec

import (
	"encoding/binary"
	"fmt"
)

const (
	// MaxFrameLength is the largest frame accepted, in bytes, counting the
	// four length bytes themselves. Java: NettyDecoder.FRAME_MAX_LENGTH, the
	// default of the property com.rocketmq.remoting.frameMaxLength.
	MaxFrameLength = 16777216

	lengthSize      = 4        // the length, which does not count itself
	headerWordSize  = 4        // serialize type and header length
	maxHeaderLength = 0xFFFFFF // the low 24 bits of the header word
)

// SplitFrame returns the size in bytes, length field included, of the frame
// that b starts with. The size is known as soon as four bytes are there, so
// it may exceed len(b): that many bytes are needed. With fewer than four
// bytes it returns 0 and no error. Limits are those of MaxFrameLength.
//
// It fails with ErrFrameTooLarge or ErrFrameLength on the first four bytes,
// with ErrSerializeType or ErrHeaderLength on the first eight; the stream
// cannot be read on after any of them.
func SplitFrame(b []byte) (n int, err error) { return splitFrame(b, MaxFrameLength) }

// NewSplitFunc returns a SplitFrame that accepts frames of up to maxFrame
// bytes, the length field included.
func NewSplitFunc(maxFrame int) func(b []byte) (n int, err error) {
	return func(b []byte) (int, error) { return splitFrame(b, maxFrame) }
}

func splitFrame(b []byte, maxFrame int) (int, error) {
	if len(b) < lengthSize {
		return 0, nil
	}
	length := int(int32(binary.BigEndian.Uint32(b)))
	if length < headerWordSize {
		return 0, fmt.Errorf("%w: %d", ErrFrameLength, length)
	}
	// Java: LengthFieldBasedFrameDecoder compares the frame with its length
	// field, so the largest length accepted is four less than the limit.
	if length+lengthSize > maxFrame {
		return 0, fmt.Errorf("%w: %d bytes, limit %d", ErrFrameTooLarge, length+lengthSize, maxFrame)
	}
	if len(b) >= lengthSize+headerWordSize {
		if _, _, err := splitHeaderWord(b, length); err != nil {
			return 0, err
		}
	}
	return length + lengthSize, nil
}

// splitHeaderWord reads bytes 4 to 7 of a frame whose length field says
// length. Java: RemotingCommand#getProtocolType, #getHeaderLength.
func splitHeaderWord(frame []byte, length int) (SerializeType, int, error) {
	st, headerLen := SerializeType(frame[4]), int(frame[5])<<16|int(frame[6])<<8|int(frame[7])
	if st > SerializeRocketMQ {
		return 0, 0, fmt.Errorf("%w: %d", ErrSerializeType, uint8(st))
	}
	if headerLen > length-headerWordSize {
		return 0, 0, fmt.Errorf("%w: header %d, frame has %d left", ErrHeaderLength, headerLen, length-headerWordSize)
	}
	return st, headerLen, nil
}

// beginFrame appends eight bytes to be filled in by endFrame.
func beginFrame(dst []byte) []byte { return append(dst, 0, 0, 0, 0, 0, 0, 0, 0) }

// endFrame writes length and header word of the frame that starts at start
// and whose header ends at headerEnd. It reports false when the header is
// too long for 24 bits; nothing is written then.
func endFrame(dst []byte, start, headerEnd int, st SerializeType) bool {
	headerLen := headerEnd - start - lengthSize - headerWordSize
	if headerLen > maxHeaderLength {
		return false
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-lengthSize))
	binary.BigEndian.PutUint32(dst[start+lengthSize:], uint32(st)<<24|uint32(headerLen))
	return true
}
