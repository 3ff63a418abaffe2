//go:build !linux

package bench

// startLoop starts the loop of w.
func startLoop(w *worker) (loop, error) { return startGnetLoop(w) }
