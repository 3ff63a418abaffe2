//go:build race

package route

import "flag"

const raceEnabled = true

// One goroutine plays all rounds of a property, so the race detector has nothing to see in
// more of them. The rounds that find mistakes are those without it; only there all of them
// together must have come to everything.
func init() { flag.Set("rapid.checks", "25") }
