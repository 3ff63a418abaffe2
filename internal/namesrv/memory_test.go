package namesrv

import (
	"log/slog"
	"math"
	"runtime/debug"
	"testing"

	"gonamesrv/codec"
)

func TestBudgetFor(t *testing.T) {
	for _, tt := range []struct{ memory, want int64 }{
		{0, 8 << 20},
		{128 << 20, 32 << 20},
		{1 << 30, 256 << 20},
		{12 << 30, 3 << 30},
		{64 << 30, 4 << 30},
		{math.MaxInt64, 4 << 30},
	} {
		if got := budgetFor(tt.memory); got != tt.want {
			t.Errorf("budgetFor(%d) = %d, want %d", tt.memory, got, tt.want)
		}
	}
	if got := (&Config{MemoryBudget: 100 << 20}).memoryBudget(); got != 100<<20 {
		t.Errorf("a configured budget is %d", got)
	}
	if limit := memoryLimit(); limit < 64<<20 {
		t.Errorf("this machine seems to have %d bytes of memory", limit)
	}
}

func TestGoLimit(t *testing.T) {
	for _, tt := range []struct {
		container, machine uint64
		want               int64
	}{
		{64 << 20, 8 << 30, 57_042_534},
		{8 << 30, 8 << 30, 0},
		{math.MaxUint64, 8 << 30, 0},
		{math.MaxUint64, math.MaxInt64, 0}, // nothing is known
	} {
		if got := goLimit(tt.container, tt.machine); got != tt.want {
			t.Errorf("goLimit(%d, %d) = %d, want %d", tt.container, tt.machine, got, tt.want)
		}
	}
	before := debug.SetMemoryLimit(-1)
	if SetMemoryLimit("1GiB", slog.New(slog.DiscardHandler)); debug.SetMemoryLimit(-1) != before {
		t.Error("a limit of the operator was changed")
	}
}

// A frame of the largest size fits into its half of the budget while it grows, and
// into the other while it is queued.
func TestFrameLimit(t *testing.T) {
	for budget, want := range map[int64]int{leastBudget: 2 << 20, 32 << 20: 8 << 20, 64 << 20: 16 << 20, largestBudget: 16 << 20} {
		if got := frameLimit(codec.MaxFrameLength, budget); got != want || int64(got)*3/2 > budget/2 {
			t.Errorf("frameLimit(%d) = %d, want %d", budget, got, want)
		}
	}
}
