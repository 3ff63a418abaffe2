package codec

import (
	"hash/crc32"
	"math"
)

// A TimelessBody is the body of a registration without the digits of a time that brokers
// since 5.0 send in it, which is another one each time and which nobody reads: they never
// set what it is the time of, so it is when they made the body.
//
// Two bodies whose TimelessBody is the same decode to the same, if their requests have the
// same version and the same flag compressed. If the checksum that came with one is right,
// so is the other's. A body has none of the time where anything before it is written
// otherwise than these brokers write it: then all of the body is in After. A compressed
// body is such a one; it has no such time.
//
// Java: TopicConfigAndMappingSerializeWrapper#mappingDataVersion.
type TimelessBody struct {
	Before, After []byte // what is before the digits and behind them; windows into the body
	Digits        int    // how many digits are left out; 0 is none of that time
	// Checksum stands for the checksum that came with the body, whatever the time is;
	// NoChecksum if none did.
	Checksum int64
}

// NoChecksum is the Checksum of a TimelessBody that came without one, or with 0.
const NoChecksum = math.MinInt64

// Timeless returns body without that time. checksum is the one that came with it, and may
// be wrong; 0 is none. It reads no more of the body than what is before the time.
func Timeless(body []byte, checksum int32) TimelessBody {
	t := TimelessBody{After: body, Checksum: int64(checksum)}
	if checksum == 0 {
		t.Checksum = NoChecksum
	}
	from, to := writtenTime(body)
	if to == 0 {
		return t
	}
	t.Before, t.After, t.Digits = body[:from], body[to:], to-from
	if checksum != 0 {
		// What the checksum of the same body is with zeros for digits.
		t.Checksum ^= int64(crcBehind(crc32.ChecksumIEEE(body[from:to])^crc32.ChecksumIEEE(zeroDigits[:t.Digits]), len(t.After)) & crcMask)
	}
	return t
}

// writtenTime returns where the digits of that time are in a body; 0, 0 if it has none.
//
// All before them must be as these brokers write it, to the letter: then the digits are the
// value of a member that readBody steps over, whatever follows. With other forms of JSON
// that we read too, such as single quotes and comments, the same text may be part of a
// name or of a filter server.
func writtenTime(body []byte) (from, to int) {
	u := usualText{b: body}
	if !u.literal(`{"filterServerList":`) || !u.texts() ||
		!u.literal(`,"topicConfigSerializeWrapper":{"dataVersion":{"counter":`) || !u.number() ||
		!u.literal(`,"stateVersion":`) || !u.number() || !u.literal(`,"timestamp":`) || !u.number() ||
		!u.literal(`},"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":`) {
		return 0, 0
	}
	from = len(body) - len(u.b)
	if !u.number() {
		return 0, 0
	}
	to = len(body) - len(u.b)
	if !u.literal(`}`) {
		return 0, 0
	}
	return from, to
}

// zeroDigits are as many as number takes.
var zeroDigits = []byte("0000000000000000000")

// number steps over a number of 1 to 19 digits.
func (u *usualText) number() bool {
	i := 0
	for i < len(u.b) && i <= len(zeroDigits) && isDigit(u.b[i]) {
		i++
	}
	u.b = u.b[i:]
	return i > 0 && i <= len(zeroDigits)
}

// texts steps over an array of strings, each of them plain.
func (u *usualText) texts() bool {
	if u.literal(`[]`) {
		return true
	}
	for open := `["`; u.literal(open); open = `,"` {
		u.plain()
		if !u.literal(`"`) {
			return false
		}
		if u.literal(`]`) {
			return true
		}
	}
	return false
}

// crcMask is which bits of a CRC-32 are the checksum of a body.
const crcMask = 0x7FFFFFFF

// crcBehind returns by what the CRC-32s of two texts differ if each is followed by the same
// n bytes, and differ is by what they differ before. Both are the exclusive or; the texts
// are of one length. It takes a microsecond for a megabyte.
//
// A CRC-32 is the remainder of a polynomial over GF(2), and a byte more multiplies that by
// x^8. What follows is the same in both, so nothing of it is in the difference.
func crcBehind(differ uint32, n int) uint32 {
	for power := uint32(1) << (31 - 8); n > 0; n >>= 1 { // x^8, x^16, x^32, …
		if n&1 != 0 {
			differ = crcTimes(differ, power)
		}
		power = crcTimes(power, power)
	}
	return differ
}

// crcTimes multiplies two polynomials modulo that of IEEE's CRC-32. Their highest bit is
// the coefficient of x^0.
func crcTimes(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		product ^= b & -(a >> 31)
		b = b>>1 ^ crc32.IEEE&-(b&1)
	}
	return product
}
