package namesrv

import (
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

// TestHeapIsTight: memory is tight when what is alive comes near to GOMEMLIMIT, whatever
// is used of the budget; the history goes with the next scan then.
func TestHeapIsTight(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ListenPort, cfg.WarmStart = 0, warmStartOff
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	kept := make([]byte, 64<<20) // so that what else is alive matters little
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	runtime.GC()
	if s.isMemoryTight() {
		t.Error("memory is tight without a limit")
	}
	for limit, want := range map[int64]bool{64 << 20 * 3 / 2 * 4: false, 64 << 20 * 5 / 4: true} {
		debug.SetMemoryLimit(limit)
		if got := s.isMemoryTight(); got != want {
			t.Errorf("with 64 MiB alive and a limit of %d memory is tight: %v", limit, got)
		}
	}
	runtime.KeepAlive(kept)
}
