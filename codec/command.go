package codec

import (
	"encoding/binary"
	"fmt"
)

// A Command is one decoded frame: a request, or a reply on the way back to a
// client. Java: RemotingCommand.
//
// All its slices are windows into the frame it was decoded from and live only
// as long as that frame does. Clone what must live longer. (Headers of an unusual
// form are unescaped into fresh memory, but do not rely on it.)
type Command struct {
	Code          RequestCode  // of a request; ResponseCode(Code) of a reply
	Language      LanguageCode // JAVA when the sender left it out
	Version       int32        // the sender's MQVersion ordinal, 0 when left out
	Opaque        int32        // echoed in the reply; 0 when left out
	Flag          Flag
	Remark        []byte // nil means null
	Ext           ExtFields
	Nulls         [][]byte // names of the ext fields that a JSON header has with null: a signature covers them
	Body          []byte   // nil when there is none; never empty
	SerializeType SerializeType
}

// A Flag holds the two bits that say what kind of command this is. Other
// bits mean nothing. Java: RemotingCommand.RPC_TYPE, RPC_ONEWAY.
type Flag int32

const (
	FlagResponse Flag = 1 << 0 // an answer; also when FlagOneway is set
	FlagOneway   Flag = 1 << 1 // the sender wants no answer
)

// IsResponse reports whether the command is an answer.
func (f Flag) IsResponse() bool { return f&FlagResponse != 0 }

// IsOneway reports whether the sender wants no answer.
func (f Flag) IsOneway() bool { return f&FlagOneway != 0 }

// Decode reads one whole frame, its four length bytes included, and replaces
// everything c held. The backing array of c.Ext is used again, so a Command
// that is decoded into over and over allocates nothing for usual headers.
//
// It fails with ErrTruncated, ErrFrameLength, ErrSerializeType,
// ErrHeaderLength or a *HeaderError; c then holds nothing to rely on.
// Java: RemotingCommand#decode.
func (c *Command) Decode(frame []byte) error {
	if len(frame) < lengthSize+headerWordSize {
		return fmt.Errorf("%w: frame of %d bytes", ErrTruncated, len(frame))
	}
	length := int(int32(binary.BigEndian.Uint32(frame)))
	switch {
	case length < headerWordSize:
		return fmt.Errorf("%w: %d", ErrFrameLength, length)
	case length > len(frame)-lengthSize:
		return fmt.Errorf("%w: length field says %d, frame has %d", ErrTruncated, length, len(frame)-lengthSize)
	}
	st, headerLen, err := splitHeaderWord(frame, length)
	if err != nil {
		return err
	}
	frame = frame[lengthSize+headerWordSize : lengthSize+length]
	header := frame[:headerLen:headerLen]
	if st == SerializeJSON {
		err = c.consumeJSONHeader(header)
	} else {
		err = c.consumeBinaryHeader(header)
	}
	if err != nil {
		return err
	}
	c.SerializeType = st
	c.Body = nil
	if len(frame) > headerLen {
		c.Body = frame[headerLen:]
	}
	return nil
}

// maxKeptExtFields bounds what a reused Command keeps between two frames.
const maxKeptExtFields = 256

// reset gives every header field the value it has when the sender leaves it
// out. Java: RemotingCommand's initialisers. (Java fills a missing opaque
// with a number of its own; nobody can be waiting for it.)
func (c *Command) reset() {
	c.Code, c.Language, c.Version, c.Opaque, c.Flag, c.Remark = 0, LanguageJava, 0, 0, 0, nil
	c.Nulls = nil
	if cap(c.Ext) > maxKeptExtFields {
		c.Ext = nil
	}
	c.Ext = c.Ext[:0]
}
