package admin

import (
	"math"

	"gonamesrv/internal/meter"
	"gonamesrv/internal/namesrv"
)

// What is counted and timed where requests pass.

var (
	requests        = counter("requests_total", "Requests that were answered, or were not to be, by what was asked and the response code; abandoned ones lost their connection first.", "request_code", "response_code")
	requestDuration = histogram("request_duration_seconds", []float64{1e-6, 2.5e-6, 5e-6, 10e-6, 25e-6, 100e-6, 250e-6, 1e-3, 5e-3, 25e-3, 100e-3, 1},
		"Time from the turn that read a request to its reply, with the wait for a worker. What event loops serve is timed by samples that stand for all.", "request_code")
	queueWait = histogram("queue_wait_seconds", []float64{10e-6, 100e-6, 1e-3, 10e-3, 50e-3, 100e-3, 500e-3, 1, 5},
		"Time that a request has waited for a worker.", "class")
	queueService = histogram("queue_service_seconds", []float64{10e-6, 100e-6, 1e-3, 10e-3, 50e-3, 100e-3, 500e-3, 1, 5},
		"Time that a worker has taken for a request.", "class")
	loopDelay = histogram("loop_delay_seconds", []float64{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1},
		"How late event loops run what is to run at once: what each request there waits for others. Looked at four times a second.")
	tableLock = histogram("table_lock_seconds", []float64{1e-6, 10e-6, 100e-6, 1e-3, 5e-3, 25e-3, 100e-3},
		"Time that those who change the tables wait for their lock, and hold it. Readers take none.", "what")
	expiryScan = histogram("expiry_scan_seconds", []float64{1e-6, 10e-6, 100e-6, 1e-3, 5e-3, 25e-3, 100e-3},
		"Time that the search for silent brokers takes, with their removal.")
	registrationBytes = histogram("registration_body_bytes", []float64{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20},
		"Bytes of the bodies of registrations, as they came.")
	kvSaveTime = histogram("kv_save_seconds", []float64{1e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 5},
		"Time that a change of the KV config takes on disk.")
	kvEntries = gauge("kv_entries", "Keys in all namespaces of the KV config.")
	kvSaves   = counter("kv_saves_total", "Changes of the KV config that were written to disk, and that could not be and were refused.", "result")

	registrations    = counter("registrations_total", "Registrations of brokers, by what became of them: unchanged ones are signs of life, failed ones went wrong here.", "result")
	registeredTopics = counter("registered_topics_total", "Topics of one broker's name that registrations have changed.", "change")
	clients          = gauge("clients", "Open connections by the language and minor version of their client; brokers are clients too. Of more than 32 kinds the rest is other.", "language", "version")
	routeEncodes     = counter("route_encodes_total", "Routes that were encoded because they were not kept, by the form of their JSON.", "dialect")
)

func (e emitter) meters(s *namesrv.Snapshot, m *namesrv.Meters) {
	for i := range s.Requests {
		for outcome, n := range s.Requests[i].Outcomes {
			e.add(requests, float64(n), requestCodeOf(s.Requests[i].Name), outcome)
		}
	}
	for i := range m.Requests {
		if r := &m.Requests[i]; r.Duration.Count > 0 {
			e.addTimes(requestDuration, &r.Duration, requestCodeOf(r.Name))
		}
	}
	for i := range m.Pools {
		e.addTimes(queueWait, &m.Pools[i].Wait, m.Pools[i].Class)
		e.addTimes(queueService, &m.Pools[i].Service, m.Pools[i].Class)
	}
	var delays meter.Reading
	for i := range m.LoopDelay {
		delays.Merge(&m.LoopDelay[i])
	}
	e.addTimes(loopDelay, &delays)
	e.addTimes(tableLock, &m.LockWait, "wait")
	e.addTimes(tableLock, &m.LockHold, "hold")
	e.addTimes(expiryScan, &m.ExpiryScan)
	e.addReading(registrationBytes, &m.RegistrationBytes, 1)
	e.addTimes(kvSaveTime, &m.KVSave)

	e.add(kvEntries, float64(s.KVConfig.Entries))
	e.add(kvSaves, float64(s.KVConfig.Saves), "success")
	e.add(kvSaves, float64(s.KVConfig.SavesFailed), "failed")
	r := &s.Registered
	e.add(registrations, float64(r.Unchanged), "unchanged")
	e.add(registrations, float64(r.Changed), "changed")
	e.add(registrations, float64(r.Refused), "refused")
	e.add(registrations, float64(r.Failed), "failed")
	e.add(registeredTopics, float64(r.TopicsAdded), "added")
	e.add(registeredTopics, float64(r.TopicsChanged), "changed")
	e.add(registeredTopics, float64(r.TopicsRemoved), "removed")
	for _, c := range s.Clients {
		e.add(clients, float64(c.Count), c.Language, c.Version)
	}
	e.add(routeEncodes, float64(s.Table.EncodedLegacy), "legacy")
	e.add(routeEncodes, float64(s.Table.EncodedStrict), "strict")
}

// addTimes emits a histogram in seconds of a reading in nanoseconds.
func (e emitter) addTimes(f *family, r *meter.Reading, labels ...string) {
	e.addReading(f, r, 1e9, labels...)
}

// addReading emits a histogram of a reading, of which so many are one of the metric's
// unit.
func (e emitter) addReading(f *family, r *meter.Reading, unit float64, labels ...string) {
	e.addHistogram(f, r.Count, float64(r.Sum)/unit, func(bound float64) uint64 {
		return r.Below(uint64(math.Round(bound * unit)))
	}, labels...)
}
