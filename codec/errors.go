package codec

import (
	"errors"
	"fmt"
)

// What can be wrong with bytes. The functions of this package wrap these
// values with the numbers that offended; test with errors.Is.
var (
	ErrFrameTooLarge    = errors.New("codec: frame too large")
	ErrFrameLength      = errors.New("codec: frame length cannot hold a header word")
	ErrSerializeType    = errors.New("codec: unknown serialize type")
	ErrHeaderLength     = errors.New("codec: header length exceeds frame")
	ErrTruncated        = errors.New("codec: truncated")
	ErrInflatedTooLarge = errors.New("codec: inflated body too large")
	ErrVersion          = errors.New("codec: version is negative")
)

// A HeaderError says where and why a command header cannot be read. Java
// closes the connection on every one of them.
type HeaderError struct {
	SerializeType SerializeType
	Offset        int // in bytes from the start of the header
	Reason        string
}

func (e *HeaderError) Error() string {
	return fmt.Sprintf("codec: %s header at byte %d: %s", e.SerializeType, e.Offset, e.Reason)
}

// A BodyError says where and why a request body cannot be read. Java answers
// SYSTEM_ERROR to every one of them.
type BodyError struct {
	Body   string // the Java class that could not be decoded
	Offset int    // in bytes from the start of the body, or of the inflated body
	Reason string
}

func (e *BodyError) Error() string {
	return fmt.Sprintf("codec: %s at byte %d: %s", e.Body, e.Offset, e.Reason)
}

// A syntaxError is what the readers of this package fail with; the exported
// functions turn it into a HeaderError or a BodyError.
type syntaxError struct {
	offset int
	reason string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("codec: byte %d: %s", e.offset, e.reason)
}

func (e *syntaxError) inHeader(st SerializeType) error {
	return &HeaderError{SerializeType: st, Offset: e.offset, Reason: e.reason}
}

func (e *syntaxError) inBody(body string) error {
	return &BodyError{Body: body, Offset: e.offset, Reason: e.reason}
}
