//go:build interop

package interop

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// spent is the CPU time of the processes that each test has started. On a machine with few
// processors it is what the suite takes.
var spent struct {
	mu sync.Mutex
	by map[string]time.Duration // by name of the test that is not a subtest
}

// noteSpent adds what a process of a test has taken, with the children that it has waited for.
func noteSpent(test string, s *os.ProcessState) {
	if s == nil {
		return
	}
	test, _, _ = strings.Cut(test, "/")
	spent.mu.Lock()
	defer spent.mu.Unlock()
	if spent.by == nil {
		spent.by = make(map[string]time.Duration)
	}
	spent.by[test] += s.UserTime() + s.SystemTime()
}

// printSpent writes a line for each test that has taken a second or more, the largest first.
func printSpent(w io.Writer) {
	spent.mu.Lock()
	defer spent.mu.Unlock()
	var sum time.Duration
	for _, d := range spent.by {
		sum += d
	}
	if sum < time.Second {
		return
	}
	fmt.Fprintf(w, "interop: CPU time of what the tests started: %.0f s\n", sum.Seconds())
	tests := slices.SortedFunc(maps.Keys(spent.by), func(a, b string) int {
		return cmp.Or(cmp.Compare(spent.by[b], spent.by[a]), cmp.Compare(a, b))
	})
	for _, test := range tests {
		if d := spent.by[test]; d >= time.Second {
			fmt.Fprintf(w, "interop: %6.1f s  %s\n", d.Seconds(), test)
		}
	}
}
