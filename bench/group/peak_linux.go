package group

import (
	"bytes"
	"os"
	"strconv"
)

// Peak returns the most memory that a process has had resident since its start, in bytes;
// 0 when nobody knows.
func Peak(pid int) uint64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0 // it has ended
	}
	_, rest, _ := bytes.Cut(text, []byte("\nVmHWM:"))
	words := bytes.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	kib, _ := strconv.ParseUint(string(words[0]), 10, 54) // the kernel writes a number
	return kib << 10
}
