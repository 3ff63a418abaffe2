package engine

import (
	"fmt"
	"strings"
	"testing"
)

// A turn that ends early leaves frames, and pieces of them, for the next, while
// more arrives and the peer may be choked as well.
func TestTurnsKeepOrder(t *testing.T) {
	for _, highWater := range []int{1 << 30, 64 << 10} {
		t.Run(fmt.Sprintf("highWater=%d", highWater), func(t *testing.T) {
			s := serve(t, &testHandler{serve: blower(40_000)}, func(o *Options) {
				o.Loops, o.HighWater, o.LowWater = 1, highWater, min(highWater, 32<<10)
			})
			c := s.dial()
			const n = 1500
			var all []byte
			for i := range n {
				all = append(all, textFrame("request %d %s", i, strings.Repeat("x", i%300))...)
			}
			go func() {
				for len(all) > 0 {
					k := min(7777, len(all))
					c.Write(all[:k])
					all = all[k:]
				}
			}()
			for i := range n {
				got, err := readFrame(c)
				if want := fmt.Sprintf("request %d x", i); err != nil || i%300 > 0 && !strings.HasPrefix(string(got), want) {
					t.Fatalf("reply %d is %q, %v", i, clip(string(got)), err)
				}
			}
			c.send(textFrame("last"))
			if got, err := readFrame(c); err != nil || !strings.HasPrefix(string(got), "last ") {
				t.Errorf("after all that got %q, %v", clip(string(got)), err)
			}
		})
	}
}

// What has been closed meanwhile is not served again.
func TestClosedWhileBehind(t *testing.T) {
	served := 0
	s := serve(t, &testHandler{serve: func(c Conn, _, out []byte) []byte {
		if served++; served == 2 {
			c.Close(nil) // with the turn over and frames left
		}
		return append(out, textFrame("%s", strings.Repeat("p", 200_000))...)
	}}, func(o *Options) { o.Loops, o.HighWater, o.LowWater = 1, 1<<30, 1 })
	c := s.dial()
	c.send([]byte(strings.Repeat(string(textFrame("x")), 100)))
	for range 2 {
		if _, err := readFrame(c); err != nil {
			t.Fatal(err)
		}
	}
	c.wantClosed()
	s.stop()
	if served != 2 {
		t.Errorf("%d frames served, want 2", served)
	}
}
