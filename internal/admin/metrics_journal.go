package admin

import (
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// What is known of what happened: the journal, the history, the log.

var (
	generation    = gauge("generation", "Number of the newest event that the tables show: the second half of what the read API calls a generation.")
	journalEvents = counter("journal_events_total", "Events that the journal was given, by type. Unlike broker_events_total it has all types, and leaves out refusals for which it has no room.", "type")
	journalOldest = gauge("journal_oldest_timestamp_seconds", "When the oldest event was that the journal still has.")
	journalOut    = counter("journal_refusals_left_out_total", "Refusals that the journal has left out, because anybody can cause as many as they like.")
	journalBytes  = gauge("journal_bytes", "Bytes that the events take that the journal keeps.")
	journalLimit  = gauge("journal_limit_bytes", "Bytes that they may take: 1 KiB for each of journalSize, or a sixteenth of the memory if that is less.")
	historyBytes  = gauge("history_bytes", "Bytes that Views of before keep alive.")
	historyLimit  = gauge("history_limit_bytes", "Bytes that they may keep alive: historyBudget.")
	logHeld       = counter("log_lines_held_total", "Lines that were not logged because there were too many of their kind; the next one of the kind says how many.", "kind")
	logDropped    = counter("log_lines_dropped_total", "Lines that were lost on their way out, by where to.", "kind")
	reloads       = counter("config_reloads_total", "How often the configuration file was read again, and whether it could be used.", "result")
	brokerEvents  = counter("broker_events_total", "What has happened to brokers, all of it, refusals too.", "event")
)

func (e emitter) journal(s *namesrv.Snapshot, v *route.View, j *route.Journal) {
	e.add(generation, float64(v.Seq()))
	for _, t := range s.Journal.Types {
		e.add(journalEvents, float64(t.Count), t.Type)
	}
	if oldest, _, err := j.Read(0, nil, 1); err == nil && len(oldest) > 0 {
		e.add(journalOldest, float64(oldest[0].AtMillis)/1e3)
	}
	e.add(journalOut, float64(s.Journal.LeftOut))
	e.add(journalBytes, float64(s.Journal.Bytes))
	e.add(journalLimit, float64(s.Journal.MaxBytes))
	e.add(historyBytes, float64(s.Journal.History.Bytes))
	e.add(historyLimit, float64(s.Journal.History.MaxBytes))
	for _, ev := range s.Events {
		e.add(brokerEvents, float64(ev.Count), ev.Event)
	}
	for _, h := range s.Log.Held {
		e.add(logHeld, float64(h.Lines), h.Kind)
	}
	e.add(logDropped, float64(s.Log.StderrDropped), "stderr")
	e.add(logDropped, float64(s.Log.FileDropped), "file")
	e.add(reloads, float64(s.Reloads.Reloads), "success")
	e.add(reloads, float64(s.Reloads.Failures), "failed")
}
