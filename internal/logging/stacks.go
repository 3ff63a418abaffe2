package logging

import (
	"fmt"
	"io"
	"runtime"
	"time"
)

// maxStacks is how many bytes of stacks are written: those of about a thousand
// goroutines. The program stands still while they are collected.
const maxStacks = 1 << 20

// WriteStacks writes the stacks of all goroutines, in one Write, and says so
// where they are too long. Java: a JVM's thread dump.
func WriteStacks(w io.Writer, now time.Time) {
	text := make([]byte, maxStacks)
	text = text[:runtime.Stack(text, true)]
	cut := ""
	if len(text) == maxStacks {
		cut = fmt.Sprintf("\n… (cut at %d bytes)", maxStacks)
	}
	_, _ = fmt.Fprintf(w, "%s stacks of %d goroutines:\n%s%s\n", now.Format(time.RFC3339), runtime.NumGoroutine(), text, cut)
}
