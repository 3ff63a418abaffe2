package namesrv

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/internal/audit"
	"gonamesrv/route"
)

// What the audit log is told: each request of an operator, whom the server has refused
// something, who says goodbye for a broker, and what becomes of the server itself. Java
// has no such log.

// auditWait is how long the answer to an operator waits for its line, with auditSync, if
// the disk stands still.
const auditWait = 10 * time.Second

// What became of a request.
const (
	auditServed      = "served"
	auditRefused     = "refused"
	auditFailed      = "failed"       // its sender may, and it could not be done
	auditWouldRefuse = "would-refuse" // served, because accessMode or brokerJoin monitors
)

// auditFaults are what is wrong with the keys of this file.
func (c *Config) auditFaults() (faults []error) {
	if c.AuditLogSize < 1 || c.AuditLogSize > 1<<16 {
		faults = append(faults, fmt.Errorf("namesrv: auditLogMaxMegabytes is %d, must be from 1 to %d", c.AuditLogSize, 1<<16))
	}
	if c.AuditLogBackups < 1 || c.AuditLogBackups > 10_000 {
		faults = append(faults, fmt.Errorf("namesrv: auditLogMaxBackups is %d, must be from 1 to 10000", c.AuditLogBackups))
	}
	if c.AuditRequired && c.AuditLogPath == "" {
		faults = append(faults, fmt.Errorf("namesrv: auditRequired is true, and auditLogPath is empty"))
	}
	return faults
}

// openAudit opens the audit log. One process at a time writes it.
func (s *Server) openAudit(cfg *Config) (err error) {
	s.auditWait = auditWait
	s.auditLimit = newAuditLimit(func() time.Duration { return s.clock.Now() })
	if cfg.AuditLogPath == "" {
		return nil
	}
	s.auditFile = fileLock{path: cfg.AuditLogPath, log: s.log}
	if err := s.auditFile.take(); err != nil {
		return fmt.Errorf("namesrv: auditLogPath: %w", err)
	}
	s.audit, err = audit.Open(audit.Options{
		Path: cfg.AuditLogPath, MaxMegabytes: cfg.AuditLogSize, MaxBackups: cfg.AuditLogBackups,
		Chain: cfg.AuditChain, Sync: cfg.AuditSync, Now: func() time.Time { return s.wall() }, Logger: s.log,
	})
	if err != nil {
		return fmt.Errorf("namesrv: auditLogPath: %w", err)
	}
	return nil
}

// stopAudit tells what was left out, and writes what waits.
func (s *Server) stopAudit(ctx context.Context) {
	s.auditLimit.sweep(true, s.auditLeftOut)
	s.audit.Stop(ctx)
}

// closeAudit writes what waits, and lets other processes write the file.
func (s *Server) closeAudit() {
	if s.audit != nil {
		s.audit.Stop(context.Background())
	}
	s.auditFile.release()
}

// AuditStats shows the audit log.
type AuditStats struct {
	audit.Stats
	LeftOut uint64 // lines of peers that have caused too many; a later line of the peer says how many
}

func (s *Server) auditStats() AuditStats {
	if s.audit == nil {
		return AuditStats{}
	}
	return AuditStats{s.audit.Stats(), s.auditLimit.leftOut.Load()}
}

// mustNotServe returns why a request must not be served, because nobody would know of it:
// nil if it may be.
func (s *Server) mustNotServe(r *request) error {
	if r.row.logged == nil || r.row.right&(rightAdminWrite|rightConfig) == 0 || !s.atStart.AuditRequired || s.audit.CanTake() {
		return nil
	}
	return &refusal{why: reasonNotAudited, code: codec.RespSystemError, remark: remarkNotAudited}
}

// auditChange writes the line of an operator's request. No handler has seen it if it is
// refused for its sender, and then it is one of many that anybody can send.
func (s *Server) auditChange(r *request, c *adminChange, err error, handled bool) {
	if s.audit == nil {
		return
	}
	p := s.rules.inForce.Load()
	peer := accessPeerOf(r.conn)
	id := p.identify(&peer)
	l := s.requestLine(r, &id)
	l.Args, l.Changed = c.Args, c.Changed
	if !c.Before.Equal(slog.Value{}) {
		l.Before, l.After = (*audit.Value)(&c.Before), (*audit.Value)(&c.After)
	}
	reply := int(c.Reply)
	l.Reply, l.Why = &reply, c.Remark
	switch {
	case !handled || c.Reply == codec.RespNoPermission:
		l.Outcome = auditRefused
	case err != nil:
		l.Outcome = auditFailed
	case id.rights&r.row.right == 0 && r.key == nil:
		l.Outcome = auditWouldRefuse
	default:
		l.Outcome = auditServed
	}
	if !handled {
		s.putLimited(l, peer.addr)
		return
	}
	l.Micros = (s.clock.Now() - r.began).Microseconds()
	if receipt := s.audit.Put(l, true); r.row.right&(rightAdminWrite|rightConfig) != 0 {
		receipt.Wait(s.auditWait)
	}
}

// auditRefusal writes the line of a request that is no operator's and that its sender may
// not send, or might not if nobody monitored.
func (s *Server) auditRefusal(r *request, id *identity, why reason, monitor bool) {
	if s.audit == nil || r.row.logged != nil {
		return
	}
	l := s.requestLine(r, id)
	l.Outcome, l.Why = auditRefused, why.String()
	if monitor {
		l.Outcome = auditWouldRefuse
	} else {
		reply := int(codec.RespNoPermission)
		l.Reply = &reply
	}
	s.putLimited(l, id.addr)
}

// auditGoodbye writes that a broker was unregistered. One that is refused has its line.
func (s *Server) auditGoodbye(r *request, h *codec.UnregisterBrokerRequestHeader) {
	if s.audit == nil {
		return
	}
	peer := accessPeerOf(r.conn)
	id := s.rules.inForce.Load().identify(&peer)
	l := s.requestLine(r, &id)
	l.Args = audit.Attrs{
		slog.String("clusterName", clip(string(h.ClusterName))), slog.String("brokerName", clip(string(h.BrokerName))),
		slog.Int64("brokerId", h.BrokerID), slog.String("brokerAddr", clip(string(h.BrokerAddr))),
	}
	reply := int(codec.RespSuccess)
	l.Outcome, l.Reply = auditServed, &reply
	s.putLimited(l, id.addr)
}

// requestLine is what a line says of every request.
func (s *Server) requestLine(r *request, id *identity) *audit.Line {
	ver, _ := codec.VersionName(r.cmd.Version)
	l := &audit.Line{
		Peer: clip(r.conn.RemoteAddr()), Conn: r.conn.ID(), Who: clip(id.who()), How: "address",
		Code: int32(r.cmd.Code), Name: r.row.name(), Class: r.row.right.String(), Opaque: new(int32),
		Lang: r.cmd.Language.String(), Ver: ver, Oneway: r.cmd.Flag.IsOneway(),
	}
	*l.Opaque = r.cmd.Opaque
	switch {
	case r.key != nil:
		l.Who, l.How = "account:"+clip(r.key.key), "signature"
		if r.how == signedFresh {
			l.How = "fresh"
		}
	case id.account != "":
		l.How = "signature"
	case id.certificate != "":
		l.How = "certificate"
	}
	l.Via, l.TLS = viaOf(r.conn), tlsOf(r.conn.TLS())
	return l
}

// viaOf returns the proxy that speaks for a peer, "" if there is none.
func viaOf(c engine.Conn) string {
	if !c.Proxied() {
		return ""
	}
	return c.Peer().String()
}

func tlsOf(state *tls.ConnectionState) string {
	if state == nil {
		return ""
	}
	return tls.VersionName(state.Version)
}

// auditEvent writes what has become of the server.
func (s *Server) auditEvent(event string, args ...slog.Attr) {
	if s.audit != nil {
		s.audit.Put(&audit.Line{Event: event, Args: args}, true)
	}
}

// auditNote writes what the journal has of the server.
func (s *Server) auditNote(kind route.JournalType, d *route.EventDetails) {
	var args []slog.Attr
	for _, a := range []slog.Attr{slog.String("reason", clip(d.Reason)), slog.String("args", clip(d.Args))} {
		if a.Value.String() != "" {
			args = append(args, a)
		}
	}
	if d.Count != 0 {
		args = append(args, slog.Int64("count", d.Count))
	}
	s.auditEvent(kind.String(), args...)
}

// auditRules writes which rules are in force.
func (s *Server) auditRules(shown []any) {
	s.auditEvent("access.rules", slog.Group("", shown...).Value.Group()...)
}

// An HTTPRequest is a request to the admin listener that not everybody may send.
type HTTPRequest struct {
	Peer   netip.AddrPort
	TLS    *tls.ConnectionState // nil without TLS
	Token  string               // name of the token; "" where there was none that is known
	Method string
	Path   string
	Role   string // that it takes
	Status int    // of the answer
	Served bool
}

// AuditHTTP writes the line of such a request. Safe from any goroutine.
func (s *Server) AuditHTTP(q *HTTPRequest) {
	if s.audit == nil {
		return
	}
	l := &audit.Line{
		Peer: q.Peer.String(), TLS: tlsOf(q.TLS), Who: "anonymous", How: "address",
		Name: clip(q.Method + " " + q.Path), Class: q.Role, Outcome: auditServed,
	}
	if q.Token != "" {
		l.Who, l.How = "token:"+clip(q.Token), "token"
	}
	l.Reply = &q.Status
	if !q.Served {
		l.Outcome = auditRefused
		s.putLimited(l, q.Peer.Addr().Unmap())
		return
	}
	s.audit.Put(l, true)
}
