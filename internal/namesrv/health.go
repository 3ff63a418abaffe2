package namesrv

import (
	"crypto/tls"
	"time"
)

// A Health is what a probe asks for. It says what is; whether that is good enough is
// for who asks.
type Health struct {
	State  State
	Uptime time.Duration // as in Snapshot

	// LoopSilence is for how long the event loop has not run that has not for longest;
	// ScanSilence is for how long there was no look for silent brokers, of which there is
	// one each ScanInterval. Neither counts before the first time and after the last.
	LoopSilence, ScanSilence, ScanInterval time.Duration

	// Gate is for how long needWaitForService will still refuse routes, 0 if it does not.
	Gate time.Duration

	// Brokers are the live entries, Registered those of them that have spoken to this
	// process: the others are known from the process before. MinBrokers are waited for,
	// until Uptime is MaxWait. All 0 while starting.
	Brokers, Registered, MinBrokers int
	MaxWait                         time.Duration

	Connections, MaxConnections int   // 0: no limit
	BudgetUsed, BudgetLimit     int64 // bytes; used is that half of which more is

	AuditBroken    bool      // the audit log could not be written the last time
	KVSaveFailed   bool      // the last change of the KV config could not be written
	CertificateEnd time.Time // of the certificate that is shown to peers; zero if it has none from a file
}

// Health returns what the server is like now. It takes no lock, reads no file and
// waits for nobody, so that it answers for a server that hangs. Safe from any
// goroutine, before, while and after the server runs.
func (s *Server) Health() Health {
	cfg, now := s.config(), s.clock.Now()
	pulse := s.engine.Pulse()
	h := Health{
		State:        s.state(),
		Uptime:       s.uptime(),
		LoopSilence:  pulse.Silent,
		ScanInterval: cfg.ScanNotActiveBrokerInterval,
		MinBrokers:   cfg.ReadyMinBrokers,
		MaxWait:      cfg.ReadyMaxWait,
		Connections:  pulse.Open,
		BudgetUsed:   max(s.budget.Held(), s.budget.Queued()),
		BudgetLimit:  s.budget.Limit() / 2,
		AuditBroken:  s.audit != nil && s.audit.IsBroken(),
		KVSaveFailed: s.kv.saveFailed.Load(),
	}
	if at := time.Duration(s.scanned.Load()); at > 0 {
		h.ScanSilence = now - at
	}
	if s.mustWait(cfg) {
		h.Gate = time.Duration(cfg.WaitSecondsForService)*time.Second - h.Uptime
	}
	if s.hasServed() { // the table stays the same from then on
		h.Brokers = s.table.View().LiveCount()
		h.Registered = h.Brokers
		if h.MinBrokers > 0 {
			h.Registered -= s.table.Warmth().Restored
		}
		h.MaxConnections = s.engine.InForce().MaxConnections
	}
	if c := s.tls.server.Load(); c != nil && len(c.Certificates) > 0 && c.Certificates[0].Leaf != nil {
		h.CertificateEnd = c.Certificates[0].Leaf.NotAfter
	}
	return h
}

// ServerTLS returns what it takes to speak TLS to peers now: nil if the files of
// tls.server.* cannot be used, or nobody is spoken to with TLS. Ask again for each
// connection. Safe from any goroutine.
func (s *Server) ServerTLS() *tls.Config { return s.tls.server.Load() }

// Config returns the configuration as it is now. Safe from any goroutine.
func (s *Server) Config() Config { return *s.config() }
