package codec

import "fmt"

// A SerializeType is the form of a command header: the first byte of the
// header word. Java: SerializeType.
type SerializeType uint8

const (
	SerializeJSON     SerializeType = 0 // JSON
	SerializeRocketMQ SerializeType = 1 // ROCKETMQ, the binary form
)

// String returns the Java name.
func (st SerializeType) String() string {
	switch st {
	case SerializeJSON:
		return "JSON"
	case SerializeRocketMQ:
		return "ROCKETMQ"
	}
	return fmt.Sprintf("SerializeType(%d)", uint8(st))
}

// ParseSerializeType returns the type with the given Java name, exactly as
// written: JSON or ROCKETMQ. It fails with ErrSerializeType on anything else,
// blanks included; the caller decides what a blank setting means.
func ParseSerializeType(name string) (SerializeType, error) {
	switch name {
	case "JSON":
		return SerializeJSON, nil
	case "ROCKETMQ":
		return SerializeRocketMQ, nil
	}
	return 0, fmt.Errorf("%w: %q", ErrSerializeType, name)
}
