package namesrv

import (
	"context"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/meter"
	"gonamesrv/route"
)

// A Meters holds the distributions that a server keeps beside what Snapshot shows:
// too large to be read with each of them. Times are in nanoseconds. They start empty
// with the server, and no number of them ever decreases.
//
// What passes on an event loop is timed by samples: of some 64 requests one is timed,
// and stands for all of its code since the one before. So Count follows the number of
// requests with a delay of some 64 of them, and the distribution is that of all.
// Everything else is timed each time.
type Meters struct {
	// Requests are in the order of Snapshot.Requests.
	Requests []RequestMeter

	// Pools has a row for each class of requests that wait for workers: client,
	// liveness, change, admin and disk. None while starting.
	Pools []PoolMeter

	// LoopDelay is, for each event loop, how late it runs what is to run at once: what
	// each request there waits for others. Looked at four times a second. None while
	// starting.
	LoopDelay []meter.Reading

	LockWait, LockHold meter.Reading // of the one lock of the route tables, by those who change them
	ExpiryScan         meter.Reading // the search for silent brokers, and their removal
	RegistrationBytes  meter.Reading // bytes of the bodies of REGISTER_BROKER, as they came, of all that were looked at
	KVSave             meter.Reading // a change of the KV config on disk, failures too
}

// A RequestMeter is how long the requests of one code took: on an event loop, from
// the beginning of Serve to the reply; in a pool, from the beginning of the turn that
// read it to the reply, so its wait too. Requests that are refused before they come to
// a pool are not in it, nor are those that are answered late.
type RequestMeter struct {
	Code     codec.RequestCode // 0: all codes that are not listed
	Name     string            // Java's; "other" for code 0
	Duration meter.Reading     // ns
}

// A PoolMeter shows the requests of one class that workers have served.
type PoolMeter struct {
	Class string // client, liveness, change, admin or disk
	engine.LevelMeters
}

// Meters returns the distributions. It costs less than a millisecond and some
// 100 KB, takes no lock and may be called at any time from any goroutine.
func (s *Server) Meters() Meters {
	m := Meters{
		LoopDelay:         s.engine.LoopDelays(),
		ExpiryScan:        s.scanTime.Read(),
		RegistrationBytes: s.bodyBytes.Read(),
		KVSave:            s.kv.saveTime.Read(),
	}
	m.LockWait, m.LockHold = s.tableNow().LockTimes()
	for w := range s.dispatch.all {
		m.Requests = append(m.Requests, RequestMeter{Code: w.code, Name: w.name(), Duration: s.tallies.duration(w)})
	}
	if s.hasServed() {
		m.Pools = append(m.Pools, PoolMeter{"client", s.pools.client.Meters()[0]})
		for i, lv := range s.pools.regular.Meters() {
			m.Pools = append(m.Pools, PoolMeter{classNames[int(asLiveness)+i], lv})
		}
	}
	return m
}

// A TopHitters holds those who ask most, or are asked for most, lately, the first of
// them first. What is counted is estimated from samples as described at Meters: a Count
// is in requests, and so is its Error, by which it may be too high because not all names
// can be remembered. That samples are samples is not in it: of a name with 64 n requests
// some n were seen. Counts are halved every minute: at a steady rate they stand for one to
// two minutes. Names are clipped.
type TopHitters struct {
	Topics []meter.Count // that routes are asked for
	Missed []meter.Count // of them, those that are not there
	Peers  []meter.Count // addresses, without ports, whom requests are from; those that a PROXY header claims count as they are
}

// Top returns at most n heavy hitters of each kind, at most 256. It costs less than a
// millisecond. Safe from any goroutine.
func (s *Server) Top(n int) TopHitters {
	now := s.clock.Now()
	of := func(sketch func(*tally) *meter.Sketch) []meter.Count {
		sketches := make([]*meter.Sketch, len(s.tallies.all))
		for i, t := range s.tallies.all {
			sketches[i] = sketch(t)
		}
		return meter.Top(now, n, sketches...)
	}
	return TopHitters{
		Topics: of(func(t *tally) *meter.Sketch { return &t.topics }),
		Missed: of(func(t *tally) *meter.Sketch { return &t.missed }),
		Peers:  of(func(t *tally) *meter.Sketch { return &t.askers }),
	}
}

// A Connection is one open connection.
type Connection struct {
	engine.ConnInfo
	Language string   // Java's name of it, as JAVA; empty before its first request, UNKNOWN for one that Java does not know
	Version  string   // Java's name of it, as V5_3_1; empty before its first request
	Broker   bool     // it has sent what only brokers send
	Brokers  []string // names of brokers whose last registration came over it, ascending; clipped
}

// Connections returns all open connections, in ascending order of their IDs. The
// event loops each copy a list of pointers, and all else is done by the caller: 20 ms
// for 100,000 connections, and some 20 MB of garbage. It waits for the slowest loop,
// and fails if ctx is done before, and with engine.ErrNotRunning. Safe from any
// goroutine.
func (s *Server) Connections(ctx context.Context) ([]Connection, error) {
	conns, err := s.engine.Connections(ctx)
	if err != nil {
		return nil, err
	}
	names := s.table.View().NamesByConn()
	all := make([]Connection, len(conns))
	for i, c := range conns {
		all[i] = Connection{ConnInfo: c, Brokers: clipAll(names[c.ID])}
		if tag := connTag(c.Tag); tag != 0 {
			all[i].Language = languageName(tag.language())
			all[i].Version, _ = codec.VersionName(tag.version())
			all[i].Broker = tag.isBroker()
		}
	}
	return all, nil
}

// clipAll clips each of some texts.
func clipAll(texts []string) []string {
	for i, t := range texts {
		texts[i] = clip(t)
	}
	return texts
}

// A RegistrationStats shows what became of REGISTER_BROKER requests, and of the topics
// in them. Each is exact; Refused and Failed are those of its RequestStats in sum.
type RegistrationStats struct {
	Unchanged uint64 // said what is known already: a sign of life
	Changed   uint64 // applied, though in the end nothing may have been different
	Refused   uint64 // for a reason that is theirs, a limit or want of room, also without a word to the broker
	Failed    uint64 // went wrong here

	// Topics of one broker name that registrations have added, changed or removed. One
	// that two brokers add counts twice.
	TopicsAdded, TopicsChanged, TopicsRemoved uint64
}

// registrationStats puts together what the table and the row of the code have counted.
func (s *Server) registrationStats(t *route.Stats) RegistrationStats {
	g := &t.Registrations
	st := RegistrationStats{
		Unchanged: g.Unchanged, Changed: g.Applied, Refused: g.Stale,
		TopicsAdded: g.TopicsAdded, TopicsChanged: g.TopicsChanged, TopicsRemoved: g.TopicsRemoved,
	}
	counts := &s.dispatch.of(codec.ReqRegisterBroker).counts
	for why := range counts.refused {
		if n := counts.refused[why].Load(); reason(why) == reasonFailed {
			st.Failed += n
		} else {
			st.Refused += n
		}
	}
	return st
}
