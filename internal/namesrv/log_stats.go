package namesrv

import (
	"slices"
	"strings"
)

// A LogStats shows what is not in the log although it happened.
type LogStats struct {
	// Held are the lines that were held back, because there were too many of their kind:
	// the next line of the kind says how many, and here they are all counted. In
	// ascending order of the kinds: those that have ever been written.
	Held []HeldLines
	// Of the lines that were written: how many found no room on their way to where they
	// go, or could not be written there. Zero where nobody has told (OnLogStats).
	StderrDropped, FileDropped uint64
}

// A HeldLines counts the lines of one kind that were held back.
type HeldLines struct {
	Kind  string // the message; of admin changes with the name of the request; of the engine's what it is about
	Lines uint64
}

// OnLogStats makes Snapshot ask f how many lines have been lost on their way to
// standard error and to the file. Before Run only.
func (s *Server) OnLogStats(f func() (stderr, file uint64)) { s.logDropped = f }

// logStats returns what Snapshot shows.
func (s *Server) logStats() LogStats {
	held := map[string]uint64{}
	for i := range eventLines {
		held[eventLines[i].msg] += s.events.byKind[i].heldBack()
	}
	held[msgTopicsChanged] += s.events.topics.heldBack()
	s.lines.heldBack(held)
	s.changeLog.heldBack(held)
	for kind, n := range s.engine.HeldLines() {
		held[kind] += n
	}
	var st LogStats
	for kind, n := range held {
		st.Held = append(st.Held, HeldLines{kind, n})
	}
	slices.SortFunc(st.Held, func(a, b HeldLines) int { return strings.Compare(a.Kind, b.Kind) })
	if s.logDropped != nil {
		st.StderrDropped, st.FileDropped = s.logDropped()
	}
	return st
}

func (l *lineLimit) heldBack(into map[string]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, k := range l.byKind {
		into[kind] += k.total
	}
}

func (l *adminLog) heldBack(into map[string]uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, k := range l.byKind {
		into[msgAdminChange+" "+kind.code.String()] += k.total
	}
}
