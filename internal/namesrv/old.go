package namesrv

import (
	"log/slog"
	"time"

	"gonamesrv/codec"
)

// maxAge is how long a question may wait for a worker. Clients ask for a route with
// a timeout of 3 s, and mqadmin with 5 s, so most who have waited so long have given up,
// and many of them have asked again. To answer the old question too would make the new
// ones wait.
const maxAge = 3 * time.Second

// errTooOld refuses a question that has waited for longer than maxAge. What brokers
// and people say is never too old: applied late it still counts, and a broker that is
// refused comes back after 30 s only.
//
// Differs from Java, which answers however old a question is.
var errTooOld = &refusal{why: reasonTooOld, code: codec.RespSystemBusy, remark: remarkOverload}

// isOld reports whether a request that arrived then has waited too long. A pause of
// the process does not count.
func (s *Server) isOld(arrived time.Duration) bool { return s.clock.Now()-arrived > maxAge }

// noteOld says that a question was refused because it was old.
func (s *Server) noteOld(r *request) {
	s.logLimited(slog.LevelWarn, "request refused, it has waited too long", func() []any {
		return []any{
			"code", int32(r.cmd.Code), "conn", r.conn.ID(), "remote", r.conn.RemoteAddr(),
			"refusedSoFar", s.dispatch.refused(reasonTooOld),
		}
	})
}
