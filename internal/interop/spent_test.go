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
	"testing"
	"time"
)

// spent is the CPU time of the processes that the tests have started. On a machine with few
// processors it is what the suite takes.
var spent spending

// spending is CPU time by name of the test that is not a subtest.
type spending struct {
	mu sync.Mutex
	by map[string]time.Duration
}

// noteSpent adds what a process of a test has taken, with the children that it has waited for.
func noteSpent(test string, s *os.ProcessState) {
	if s != nil {
		spent.add(test, s.UserTime()+s.SystemTime())
	}
}

func (s *spending) add(test string, d time.Duration) {
	test, _, _ = strings.Cut(test, "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[string]time.Duration)
	}
	s.by[test] += d
}

// print writes a line for each test that has taken a second or more, the largest first. It
// writes nothing of a suite that has taken less.
func (s *spending) print(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum time.Duration
	for _, d := range s.by {
		sum += d
	}
	if sum < time.Second {
		return
	}
	fmt.Fprintf(w, "interop: CPU time of what the tests started: %.0f s\n", sum.Seconds())
	tests := slices.SortedFunc(maps.Keys(s.by), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.by[b], s.by[a]), cmp.Compare(a, b))
	})
	for _, test := range tests {
		if d := s.by[test]; d >= time.Second {
			fmt.Fprintf(w, "interop: %6.1f s  %s\n", d.Seconds(), test)
		}
	}
}

// TestSpending: what subtests take counts for their test, and small ones only in the sum.
func TestSpending(t *testing.T) {
	t.Parallel()
	var s spending
	var out strings.Builder
	s.add("TestSmall", 400*time.Millisecond)
	if s.print(&out); out.Len() > 0 {
		t.Errorf("of less than a second: %q", out.String())
	}
	s.add("TestB/5.5.0/one", 1500*time.Millisecond)
	s.add("TestB/4.9.7", 1500*time.Millisecond)
	s.add("TestC", 12*time.Second)
	s.add("TestA", 3*time.Second)
	s.print(&out)
	const want = `interop: CPU time of what the tests started: 18 s
interop:   12.0 s  TestC
interop:    3.0 s  TestA
interop:    3.0 s  TestB
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
