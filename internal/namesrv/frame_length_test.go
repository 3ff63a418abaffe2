package namesrv_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestFrameMaxLength serves frames of the length that is allowed, and closes the
// connection at the beginning of one that is longer.
func TestFrameMaxLength(t *testing.T) {
	for _, limit := range []int{1 << 10, codec.MaxFrameLength, codec.MaxFrameLength + 8<<20} {
		s := start(t, func(c *namesrv.Config) { c.FrameMaxLength, c.MemoryBudget = limit, 4*(codec.MaxFrameLength+8<<20) })
		c := s.dial(t)
		r := nstest.Request(codec.ReqGetBrokerClusterInfo)
		r.Body = make([]byte, limit-len(c.Frame(r)))
		if frame := c.Frame(r); len(frame) != limit {
			t.Fatalf("the frame has %d bytes", len(frame))
		}
		wantCode(t, c.Do(r), codec.RespSuccess, "")
		c.TryWrite(binary.BigEndian.AppendUint32(nil, uint32(limit+1-4)))
		c.MustClose()
	}
}

// TestFrameMaxLengthFaults: what is not sensible, or does not fit into the budget,
// is refused.
func TestFrameMaxLengthFaults(t *testing.T) {
	for _, tc := range []struct {
		length int
		budget int64
		want   string
	}{
		{1 << 10, 0, ""},
		{codec.MaxFrameLength, 0, ""},
		{codec.MaxFrameLength, 64 << 20, ""},
		{32 << 20, 128 << 20, ""},
		{1 << 30, 4 << 30, ""},
		{1<<10 - 1, 0, "namesrv: frameMaxLength is 1023, must be from 1024 to 1073741824 bytes"},
		{0, 0, "namesrv: frameMaxLength is 0, must be from 1024 to 1073741824 bytes"},
		{1<<30 + 1, 8 << 30, "namesrv: frameMaxLength is 1073741825, must be from 1024 to 1073741824 bytes"},
		{32<<20 + 1, 128 << 20, "namesrv: frameMaxLength is 33554433, must be at most 33554432 bytes, a quarter of the memory budget; memoryBudget would have to be at least 134217732"},
	} {
		cfg := namesrv.DefaultConfig()
		cfg.FrameMaxLength, cfg.MemoryBudget = tc.length, tc.budget
		if err := cfg.Validate(); (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
			t.Errorf("%d of %d: %v, want %q", tc.length, tc.budget, fmt.Sprint(err), tc.want)
		}
	}
}
