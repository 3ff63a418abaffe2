package namesrv

import (
	"math"
	"testing"
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
