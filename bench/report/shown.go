package report

// Number, Count, Micros and Size write a figure as reports do, for what is shown while
// it is measured. Micros and Size are "0 µs" and "0 B" of nothing.

// Number writes v with three significant digits and a separator of thousands.
func Number(v float64) string { return digits(v) }

// Count writes a whole number with a separator of thousands.
func Count(n uint64) string { return count(n) }

// Micros writes microseconds in the unit that suits.
func Micros(us float64) string { return orNothing(us) }

// Size writes bytes in the unit that suits.
func Size(bytes float64) string {
	if bytes == 0 {
		return "0 B"
	}
	return sizeText(bytes)
}
