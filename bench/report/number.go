package report

import (
	"math"
	"strconv"
	"strings"
)

// How numbers are shown: with a unit, and no more digits than anybody reads.

// digits writes v with three significant digits and a separator of thousands.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a >= 999.5:
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	case a >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.0095:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

func thousands(s string) string {
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(s[i])
	}
	return sign + b.String()
}

func count(n uint64) string { return thousands(strconv.FormatUint(n, 10)) }

// micros writes microseconds in the unit that suits; "" for none.
func micros(us float64) string {
	switch {
	case us == 0:
		return ""
	case us >= 999_500:
		return digits(us/1e6) + " s"
	case us >= 999.5:
		return digits(us/1e3) + " ms"
	default:
		return digits(us) + " µs"
	}
}

func sizeText(b float64) string {
	switch {
	case b == 0:
		return ""
	case b >= 999_500_000:
		return digits(b/1e9) + " GB"
	case b >= 999_500:
		return digits(b/1e6) + " MB"
	case b >= 999.5:
		return digits(b/1e3) + " kB"
	default:
		return digits(b) + " B"
	}
}

// quantity writes a figure of a comparison in its unit.
func quantity(v float64, unit string) string {
	switch unit {
	case "µs":
		return micros(v)
	case "s":
		return micros(v * 1e6)
	case "B":
		return sizeText(v)
	case "/s":
		return digits(v) + "/s"
	case "s/1M":
		return digits(v) + " s"
	case "×":
		return times(v)
	case "":
		return plain(v)
	default:
		return digits(v)
	}
}

// plain is digits for whole numbers, for example of threads.
func plain(v float64) string {
	if v == math.Trunc(v) && v < 1e15 {
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return digits(v)
}

func times(v float64) string { return digits(v) + "×" }

// percent never makes nothing of something: 206 of 80,937 are 0.25 %.
func percent(v float64) string { return digits(v*100) + " %" }
