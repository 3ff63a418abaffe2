package engine

// HeldLines returns how many lines of the log were held back since the start,
// because peers can cause any number of them, by their message; those of gnet and
// of an Executor are not among them. Safe from any goroutine.
func (e *Engine) HeldLines() map[string]uint64 {
	held := map[string]uint64{}
	for _, l := range []struct {
		msg string
		log *sparingLog
	}{
		{"accept failed", &e.acceptLog},
		{"connection refused", &e.refusedLog},
		{"connection refused", &e.refusedPerAddressLog},
		{"TLS connection not taken over", &e.takeOverLog},
		{"handler panicked", &e.panicLog},
		{"panic on event loop", &e.loopPanicLog},
		{"event loop cannot call itself", &e.bellLog},
		{"an address asks too fast", &e.tooFastLog},
	} {
		held[l.msg] += l.log.total.Load()
	}
	for kind := range e.closedLogs {
		if msg := closedMessage(closeKind(kind)); msg != "" {
			held[msg] += e.closedLogs[kind].total.Load()
		}
	}
	return held
}
