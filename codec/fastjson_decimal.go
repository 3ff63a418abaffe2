package codec

import (
	"math"
	"strconv"
)

// A decimal is a number as BigDecimal keeps it: digits without leading zeros
// (a single 0 for zero), times ten to the power of -scale.
type decimal struct {
	neg    bool
	digits []byte
	scale  int64
}

// parseDecimalFloat reads what jsonReader.number has checked. Digits behind the
// point count into the scale, zeros at the end included: 1.50 is 150 with scale 2,
// and prints as it came. It reports false when the exponent, or the scale that
// follows from it, does not fit an int. Java: BigDecimal#BigDecimal(char[]).
func parseDecimalFloat(text []byte) (d decimal, ok bool) {
	if text[0] == '-' {
		d.neg = true
		text = text[1:]
	}
	for i, c := range text {
		if c|0x20 != 'e' {
			continue
		}
		exp, ok := parseDecimal(text[i+1:])
		if !ok || exp < math.MinInt32 || exp > math.MaxInt32 {
			return d, false
		}
		d.scale = -exp
		text = text[:i]
		break
	}
	d.digits = make([]byte, 0, len(text))
	point := false
	for _, c := range text {
		if c == '.' {
			point = true
			continue
		}
		if point {
			d.scale++
		}
		if string(d.digits) == "0" {
			d.digits = d.digits[:0]
		}
		d.digits = append(d.digits, c)
	}
	return d, d.scale >= math.MinInt32 && d.scale <= math.MaxInt32
}

// truncate returns the whole part of a number with fraction or exponent, cut off
// towards zero. It reports false outside int64. It never makes more than 19 digits
// of an exponent, however large that is. Java: TypeUtils#castToInt, #castToLong.
// Differs from Java: BigDecimal#intValue drops the high bits of large numbers.
func truncate(text []byte) (int64, bool) {
	d, ok := parseDecimalFloat(text)
	if !ok {
		return 0, false
	}
	whole := int64(len(d.digits)) - d.scale // how many digits stand before the point
	if whole <= 0 || d.digits[0] == '0' {
		return 0, true
	}
	if whole > 19 {
		return 0, false
	}
	var buf [20]byte
	b := buf[:0]
	if d.neg {
		b = append(b, '-')
	}
	for i := range int(whole) {
		if i < len(d.digits) {
			b = append(b, d.digits[i])
		} else {
			b = append(b, '0')
		}
	}
	return parseDecimal(b)
}

// appendDecimal writes a number with fraction or exponent as Java prints it:
// without an exponent if the scale is not negative and the first digit stands at
// most six places behind the point; otherwise one digit before the point and an
// exponent with its sign. Zero has no sign. Java: BigDecimal#toString.
func appendDecimal(dst, text []byte) ([]byte, bool) {
	d, ok := parseDecimalFloat(text)
	if !ok {
		return dst, false
	}
	if d.neg && string(d.digits) != "0" {
		dst = append(dst, '-')
	}
	adjusted := int64(len(d.digits)) - 1 - d.scale
	switch whole := int64(len(d.digits)) - d.scale; {
	case d.scale == 0:
		return append(dst, d.digits...), true
	case d.scale > 0 && whole > 0:
		dst = append(dst, d.digits[:whole]...)
		dst = append(dst, '.')
		return append(dst, d.digits[whole:]...), true
	case d.scale > 0 && adjusted >= -6:
		dst = append(dst, "0."...)
		for ; whole < 0; whole++ {
			dst = append(dst, '0')
		}
		return append(dst, d.digits...), true
	}
	dst = append(dst, d.digits[0])
	if len(d.digits) > 1 {
		dst = append(dst, '.')
		dst = append(dst, d.digits[1:]...)
	}
	if adjusted != 0 {
		dst = append(dst, 'E')
		if adjusted > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, adjusted, 10)
	}
	return dst, true
}
