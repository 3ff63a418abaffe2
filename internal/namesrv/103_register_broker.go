package namesrv

import (
	"errors"
	"log/slog"
	"math"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// REGISTER_BROKER: a broker says who it is and which topics it serves.
//
// Asked by  brokers, at start, when topics change, and then every 30 s
// Runs      in the default pool; takes the table's lock once the body is decoded
// Java      DefaultRequestProcessor#registerBroker, RouteInfoManager#registerBroker
// Replies   SUCCESS + the master's addresses + the order topics | SYSTEM_ERROR
//           | SYSTEM_BUSY when there is no memory to decode the body | NO_PERMISSION
//           where another peer has registered the broker, with brokerJoin.pin enforce
// Differs   mandatory fields are checked, nothing is half applied; zlib bodies
//           are recognised even when the header denies it (all 5.x brokers do);
//           names and tables are bounded, and what would go beyond is refused;
//           one that we have no room for is a sign of life

// noTimestamp stands for a data version that the body left out, and that Java
// then dates with the time of decoding: it is another one each time.
const noTimestamp = math.MinInt64

func registerBroker(s *Server, r *request) (codec.Reply, error) {
	var h codec.RegisterBrokerRequestHeader
	h.Decode(r.cmd.Ext)
	reg, err := newRegistration(s.config(), r, &h)
	if err != nil {
		return codec.Reply{}, err
	}
	if err := s.mayDisplace(r, reg); err != nil {
		return codec.Reply{}, err
	}
	s.bodyBytes.Add(int64(len(r.cmd.Body)))
	s.brokerConns.add(r.conn, r.key, r.verified) // before the scan can find the broker
	now := s.nowMillis()
	result, unchanged := s.table.RegisterUnchanged(now, reg)
	if !unchanged {
		if h.BodyCRC32 != 0 && h.BodyCRC32 != codec.BodyCRC32(r.cmd.Body) {
			s.logLimited(slog.LevelWarn, msgBadCRC, func() []any {
				return []any{"remote", r.conn.RemoteAddr(), "broker", clip(reg.BrokerName), "addr", clip(reg.BrokerAddr), "bodyBytes", len(r.cmd.Body)}
			})
			return codec.Reply{}, &refusal{why: reasonBadBody, code: codec.RespSystemError, remark: remarkCRCMismatch, ext: noFields}
		}
		if result, err = s.registerBody(now, reg, r, h.Compressed); err != nil {
			return codec.Reply{}, err
		}
	}
	s.notePublicBroker(r)
	reply := codec.Reply{Ext: noFields}
	if s.config().ReturnOrderTopicConfigToBroker {
		reply.Body = s.kv.orderTable()
	}
	if result.HAServerAddr != "" {
		reply.Ext = append(reply.Ext, codec.Field{Name: "haServerAddr", Value: result.HAServerAddr})
	}
	if result.MasterAddr != "" {
		reply.Ext = append(reply.Ext, codec.Field{Name: "masterAddr", Value: result.MasterAddr})
	}
	return reply, nil
}

// registerBody decodes the body of a registration, as far as it is not known,
// and applies it.
func (s *Server) registerBody(nowMillis int64, reg *route.Registration, r *request, compressed bool) (route.RegisterResult, error) {
	reg.Body = &r.body
	reg.WallMillis = s.wallMillis()
	memory := reservation{budget: s.budget}
	r.body.Reserve = memory.grow
	defer func() {
		r.body.Forget()
		r.body.Reserve = nil
		memory.release()
	}()
	known := s.table.KnownTopics(reg)
	for {
		if err := r.body.DecodeKnown(r.cmd.Body, r.cmd.Version, compressed, noTimestamp, known); errors.Is(err, codec.ErrNoMemory) {
			s.logLimited(slog.LevelWarn, "registration refused, no memory left for its body", func() []any {
				return []any{
					"remote", r.conn.RemoteAddr(), "broker", clip(reg.BrokerName), "addr", clip(reg.BrokerAddr), "bodyBytes", len(r.cmd.Body),
					"memoryBudget", s.budget.Limit(), "refusedSoFar", r.row.counts.refused[reasonNoMemory].Load() + 1,
				}
			})
			return route.RegisterResult{}, errNoMemory
		} else if err != nil {
			return route.RegisterResult{}, &refusal{why: reasonBadBody, code: codec.RespSystemError, remark: remarkUndecodableBody + err.Error()}
		}
		if r.body.DataVersion.Timestamp == noTimestamp {
			r.body.DataVersion.Timestamp = s.wallMillis()
			reg.BodyHash = 0
		}
		if r.cmd.Version < codec.V3_0_11 && len(r.cmd.Body) > 0 && r.body.TopicCount() == 0 {
			// A later body, read as what brokers sent before 3.0.11, is an object
			// without members that mean something. Java loses the topics as well.
			s.logLimited(slog.LevelWarn, "registration without topics, its version is that of another form of body", func() []any {
				return []any{
					"cluster", clip(reg.Cluster), "broker", clip(reg.BrokerName), "brokerId", reg.BrokerID, "addr", clip(reg.BrokerAddr),
					"version", r.cmd.Version, "bodyBytes", len(r.cmd.Body), "conn", r.conn.ID(), "remote", r.conn.RemoteAddr(),
				}
			})
		}
		if s.bodyDecoded != nil {
			s.bodyDecoded()
		}
		result, err := s.table.RegisterBroker(nowMillis, reg)
		switch {
		case errors.Is(err, route.ErrTopicsChanged):
			known = nil // and so not twice
		case errors.Is(err, route.ErrSingleTopic):
			return result, &refusal{why: reasonSingleTopic, code: codec.RespSystemError, remark: remarkRegisterFailed, ext: noFields}
		case err != nil:
			return result, s.beyondLimit(r, err, func() []any {
				return []any{"cluster", clip(reg.Cluster), "broker", clip(reg.BrokerName), "brokerId", reg.BrokerID, "addr", clip(reg.BrokerAddr)}
			})
		default:
			s.noteTopics(reg)
			return result, nil
		}
	}
}

// noteMissed takes note of a registration that was refused for want of room, in a
// queue or in memory: its broker shouts, so it must not expire, and is to say
// everything again. Lock-free, for it runs on the event loop too.
func (s *Server) noteMissed(r *request, err error) {
	if r.seq == 0 {
		return
	}
	if ref := refusalOf(err); ref == nil || ref.code != codec.RespSystemBusy {
		return
	}
	var h codec.RegisterBrokerRequestHeader
	h.Decode(r.cmd.Ext)
	s.table.RegistrationMissed(s.nowMillis(), h.ClusterName, h.BrokerAddr, r.seq)
}

// newRegistration is all of a registration but its decoded body.
func newRegistration(cfg *Config, r *request, h *codec.RegisterBrokerRequestHeader) (*route.Registration, error) {
	switch {
	case len(h.ClusterName) == 0:
		return nil, missing("clusterName")
	case len(h.BrokerName) == 0:
		return nil, missing("brokerName")
	case len(h.BrokerAddr) == 0:
		return nil, missing("brokerAddr")
	case !h.HasBrokerID:
		return nil, missing("brokerId")
	}
	reg := &route.Registration{
		RegistrationHeader: route.RegistrationHeader{
			Cluster:             string(h.ClusterName),
			BrokerName:          string(h.BrokerName),
			BrokerAddr:          string(h.BrokerAddr),
			BrokerID:            h.BrokerID,
			HAServerAddr:        string(h.HAServerAddr),
			ZoneName:            string(h.ZoneName),
			HasZoneName:         h.ZoneName != nil,
			TimeoutMillis:       route.DefaultHeartbeatTimeoutMillis,
			EnableActingMaster:  h.EnableActingMaster,
			OldVersion:          !h.HasEnableActingMaster,
			DeleteMissingTopics: cfg.DeleteTopicWithBrokerRegistration,
		},
		Conn:     r.conn.ID(),
		Peer:     r.conn.Peer().Addr().Unmap(),
		Origin:   r.origin(),
		Version:  r.cmd.Version,
		Seq:      r.seq,
		BodyHash: bodyHash(r, h),
	}
	if h.HasHeartbeatTimeoutMillis {
		reg.TimeoutMillis = h.HeartbeatTimeoutMillis
	}
	return reg, nil
}

// bodyHash is route.HashBody, or else comes from the sum of a registration that is signed:
// that is of the body and of all fields, so a second pass over the body would say no more.
func bodyHash(r *request, h *codec.RegisterBrokerRequestHeader) uint64 {
	if r.verified != nil {
		return r.verified.hash(r.cmd.Version)
	}
	return route.HashBody(r.cmd.Body, r.cmd.Version, h.Compressed, h.BodyCRC32)
}
