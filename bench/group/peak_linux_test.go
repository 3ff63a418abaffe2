package group

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestPeak: memory that a process has given back counts.
func TestPeak(t *testing.T) {
	const size = 64 << 20
	const slack = 1 << 20 // the kernel is right to some pages of each thread
	b := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		b[i] = 1
	}
	held := Peak(os.Getpid())
	if held < size-slack {
		t.Fatalf("the peak is %d with %d bytes in use", held, size)
	}
	b = nil
	_ = b
	debug.FreeOSMemory()
	if after := Peak(os.Getpid()); after < held-slack {
		t.Errorf("the peak is %d, and was %d before memory was given back", after, held)
	}
	if none := Peak(1 << 30); none != 0 {
		t.Errorf("the peak of nobody is %d", none)
	}
}
