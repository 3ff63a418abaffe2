package namesrv

import (
	"context"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/meter"
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
	Class   string        // client, liveness, change, admin or disk
	Wait    meter.Reading // ns in the queue; pauses of the process do not count
	Service meter.Reading // ns with a worker
}

// Meters returns the distributions. It costs less than a millisecond and some
// 100 KB, takes no lock and may be called at any time from any goroutine.
func (s *Server) Meters() Meters {
	return Meters{}
}

// A HeavyHitter is one of those who ask most, or are asked for most, lately.
type HeavyHitter struct {
	Name string // clipped; an address without its port

	// Count is how many requests it stands for, estimated from samples, those of the
	// minute before counting half, those before that a quarter, and so on: at a steady
	// rate, between one and two minutes of requests.
	Count uint64

	// Error is by how much Count may be too high because the sketch is bounded: of the
	// requests that were sampled, no less than Count-Error were its own. That
	// samples are samples is not in it.
	Error uint64
}

// A TopHitters holds heavy hitters, those with the highest count first.
type TopHitters struct {
	Topics []HeavyHitter // that are asked for
	Missed []HeavyHitter // topics that are asked for and are not there
	Peers  []HeavyHitter // addresses that ask; those that a PROXY header claims count as they are
}

// Top returns at most n heavy hitters of each kind, at most 256. It costs less than a
// millisecond. Safe from any goroutine.
func (s *Server) Top(n int) TopHitters {
	return TopHitters{}
}

// A Connection is one open connection.
type Connection struct {
	engine.ConnInfo
	Language string   // Java's name of it, as JAVA; empty before its first request, "UNKNOWN" for one that Java does not know
	Version  string   // of the client, as 5.3.1; empty before its first request
	Broker   bool     // it has sent what only brokers send
	Brokers  []string // names of brokers whose last registration came over it, ascending; clipped
}

// Connections returns all open connections, in ascending order of their IDs. The
// event loops each copy a list of pointers, and all else is done by the caller: 20 ms
// for 100,000 connections, and some 20 MB of garbage. It waits for the slowest loop,
// and fails if ctx is done before, and with engine.ErrNotRunning. Safe from any
// goroutine.
func (s *Server) Connections(ctx context.Context) ([]Connection, error) {
	return nil, engine.ErrNotRunning
}

// A ClientCount is how many connections of one kind of client are open.
type ClientCount struct {
	Language string // Java's name of it, as JAVA; "other" for all kinds that found no place among 32
	Version  string // the minor version, as 5.3; "other" with the above
	Count    int
}

// A RegistrationStats shows what became of REGISTER_BROKER requests that workers have
// served, and of the topics in them. Each is exact.
type RegistrationStats struct {
	Unchanged uint64 // said what is known already: a sign of life
	Changed   uint64 // applied
	Refused   uint64 // for a reason that is theirs or a limit: see RequestStats.Refused
	Failed    uint64 // went wrong here

	// Topics of one broker name that registrations have added, changed or removed. One
	// that two brokers add counts twice.
	TopicsAdded, TopicsChanged, TopicsRemoved uint64
}
