package admin

import "gonamesrv/internal/namesrv"

// What is known of the audit log.

var (
	auditLines    = counter("audit_lines_total", "Lines of the audit log that are in its file. There is none of these metrics without auditLogPath.")
	auditLost     = counter("audit_lost_total", "Lines of the audit log that are lost: they found no room in the queue, or could not be written. The next line says how many.")
	auditLeftOut  = counter("audit_left_out_total", "Lines about peers that were left out because the peer has caused too many. A later line of the peer says how many.")
	auditFailures = counter("audit_write_failures_total", "Writes of the audit log that failed.")
	auditBroken   = gauge("audit_broken", "1 if the last write of the audit log has failed.")
	auditQueued   = gauge("audit_queued_lines", "Lines of the audit log that wait to be written.")
	auditBytes    = gauge("audit_bytes", "Size of the file of the audit log.")
)

func (e emitter) audit(s *namesrv.AuditStats) {
	if s.Path == "" {
		return
	}
	e.add(auditLines, float64(s.Written))
	e.add(auditLost, float64(s.Lost))
	e.add(auditLeftOut, float64(s.LeftOut))
	e.add(auditFailures, float64(s.Failures))
	e.add(auditBroken, boolean(s.Broken))
	e.add(auditQueued, float64(s.Queued))
	e.add(auditBytes, float64(s.Bytes))
}
