package bench

import "fmt"

// A measure is what a figure counts, and so which units it takes.
type measure int

const (
	micros measure = iota // of a latency
	lapse                 // a time in seconds
	perMillion
	rate
	size
	plainNumber
	counted // or a percentage
)

var measureNames = map[measure]string{
	micros: "ns, us, µs, ms, s or m", lapse: "ns, us, µs, ms, s or m", perMillion: "ns, us, µs, ms, s or m", rate: "/s", size: "B, kB, MB, GB, KiB, MiB or GiB",
	plainNumber: "none", counted: "none, or %",
}

// durations and sizes are how much a unit is in µs and in bytes.
var (
	durations = map[string]float64{"ns": 1e-3, "us": 1, "µs": 1, "μs": 1, "ms": 1e3, "s": 1e6, "m": 60e6}
	sizes     = map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
)

// inUnit returns a value that was written with a unit in the unit of its figure.
func inUnit(v float64, unit string, m measure) (float64, string, error) {
	switch m {
	case micros:
		if f, ok := durations[unit]; ok {
			return v * f, "µs", nil
		}
	case lapse, perMillion:
		if f, ok := durations[unit]; ok {
			return v * f / 1e6, map[measure]string{lapse: "s", perMillion: "s/1M"}[m], nil
		}
	case size:
		if f, ok := sizes[unit]; ok {
			return v * f, "B", nil
		}
	case rate:
		if unit == "/s" {
			return v, "/s", nil
		}
	case counted:
		if unit == "%" {
			return v, "%", nil
		}
		fallthrough
	case plainNumber:
		if unit == "" {
			return v, "", nil
		}
	}
	if unit == "" {
		return 0, "", fmt.Errorf("%g needs a unit: %s", v, measureNames[m])
	}
	return 0, "", fmt.Errorf("%q is no unit of this figure; it takes %s", unit, measureNames[m])
}
