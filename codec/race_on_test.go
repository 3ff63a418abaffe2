//go:build race

package codec

import "flag"

const raceEnabled = true

// One goroutine plays all rounds of a property, so the race detector has nothing to see in
// more of them. The rounds that find mistakes are those without it.
func init() { flag.Set("rapid.checks", "25") }
