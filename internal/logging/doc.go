// Package logging writes the lines of the log. Nobody who logs waits for it.
//
// It does not know what lines are about. The rest of the house logs with
// log/slog and is handed a Logger; only the program knows where its lines go.
//
//	slog.Logger ──► handler ──┬──► Queue ──► standard error
//	                          └──► Queue ──► file, rotated (logFile)
//
// Whoever reads our output decides when a write returns: a pipe that nobody
// reads takes 64 KiB and then blocks for ever, a file on a network that is gone
// does too. So each destination has a bounded Queue and one goroutine that
// writes. What does not fit is dropped and counted, and the next line that is
// written says how many. A stuck destination holds up neither those who log nor
// the other destination. The end of the process waits for it, but not for long.
//
// Read queue.go first. Java writes its log with logback, whose appenders make
// the thread that logs wait for the disk.
package logging
