package bench

import (
	"context"
	"crypto/tls"
	"time"

	"gonamesrv/bench/capture"
)

// ResultFormat is the version of Result's JSON form. It grows when a field
// changes its meaning or goes away, not when one is added. Since 2 a rate leaves out replies
// that came after the phase.
const ResultFormat = 2

// A Result is everything one run has to say. It is written as JSON and read
// back by programs that compare or draw. Latencies are microseconds, sizes bytes,
// times of day RFC 3339, durations and moments seconds.
type Result struct {
	Format   int      `json:"format"` // ResultFormat
	Scenario Scenario `json:"scenario"`
	Seed     uint64   `json:"seed"`
	Label    string   `json:"label,omitempty"` // what the operator calls this run, such as "java 5.5.0"
	Target   Target   `json:"target"`
	Machine  Machine  `json:"machine"`

	Started         time.Time `json:"started"` // of the preload
	PreloadSeconds  float64   `json:"preloadSeconds"`
	WarmupSeconds   float64   `json:"warmupSeconds"`
	MeasuredSeconds float64   `json:"measuredSeconds"` // from the end of the warm-up to the last intended request
	// Warmup is nil when there was none, or nothing to warm up with.
	Warmup *WarmupCurve `json:"warmup,omitempty"`

	// Streams say how each kind of traffic was driven, in the scenario's order.
	Streams []StreamResult `json:"streams"`
	// Phases are the parts of the measured time, in order; most scenarios have
	// one, named "measured". The warm-up is in none of them.
	Phases []Phase `json:"phases"`
	// Series has one point per second since the end of the warm-up, over all
	// operations that are answered.
	Series []Point `json:"series"`
	// Milestones are moments that a scenario waits for, in order.
	Milestones []Milestone `json:"milestones,omitempty"`
	// Steps are what a scenario that goes in steps saw at each.
	Steps []Step `json:"steps,omitempty"`
	// Survival is what became of routes in a scenario that does something to the
	// server or to its brokers.
	Survival *Survival `json:"survival,omitempty"`

	Server    Process `json:"server"`    // all zero when no process id was given
	Generator Process `json:"generator"` // this process, and those of the crew
	// Generators is how many other processes made the load; 0 is this one.
	Generators int      `json:"generators,omitempty"`
	Ceiling    *Ceiling `json:"ceiling,omitempty"`

	// Interrupted says that somebody ended the run before its time. Its figures are
	// of what was measured until then.
	Interrupted bool `json:"interrupted,omitempty"`

	// OK is false when a reply was wrong, or a request failed in a way that the
	// scenario does not provoke; Failures says what, Samples shows some.
	OK bool `json:"ok"`
	// GeneratorBound is true when some latency of an open loop is the generator's own, see
	// Pace: then it does not count for a goal or a limit. The replies may be right.
	GeneratorBound bool `json:"generatorBound,omitempty"`

	Failures []string `json:"failures,omitempty"`
	// Errors and the limits that they were judged by; nil in results of older
	// versions. A run with errors within the limits is OK.
	Errors    *ErrorCounts `json:"errors,omitempty"`
	MaxErrors *ErrorLimits `json:"maxErrors,omitempty"`
	Samples   []Sample     `json:"samples,omitempty"` // of wrong replies; at most maxSamples

	Thresholds []Verdict `json:"thresholds,omitempty"` // in the scenario's order
}

// A Scenario is what to do and how much of it.
type Scenario struct {
	Name   string `json:"name"`             // as in `nsbench run NAME`, or of the file
	Kind   string `json:"kind"`             // the built-in scenario it is: route, storm, …
	Params Params `json:"params,omitempty"` // all of them, defaults filled in

	FailIf []string `json:"fail-if,omitempty"` // thresholds: see Threshold
	Stages []string `json:"stages,omitempty"`  // of the rate: see Stage

	written uint64        // a bit for each parameter that Set was told: its place in Params
	capture *capture.File // of a replay
	calm    bool          // nothing happens to the server or its brokers: see WarmUp
}

// A Target is the server under load.
type Target struct {
	Name    string   `json:"name,omitempty"` // such as "namesrv" or "java 5.5.0"
	Address string   `json:"address"`        // host:port
	PID     int      `json:"pid,omitempty"`  // 0 when unknown
	Command []string `json:"command,omitempty"`
	TLS     string   `json:"tls,omitempty"` // version and cipher suite; "" speaks without
}

// A Machine says where a figure comes from; generator and server share it when
// the target is on loopback.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"` // that this process may use
	Memory uint64 `json:"memory"`
	OS     string `json:"os"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Commit string `json:"commit,omitempty"` // of this program, "+dirty" when changed
}

// A StreamResult says how one kind of traffic was driven.
type StreamResult struct {
	Name        string  `json:"name"` // such as "readers" or "registrars"
	Connections int     `json:"connections"`
	OpenLoop    bool    `json:"openLoop"`
	Rate        float64 `json:"rate,omitempty"`    // intended requests per second, open loop
	Poisson     bool    `json:"poisson,omitempty"` // requests leave at random moments, not evenly
	Depth       int     `json:"depth,omitempty"`   // unanswered requests per connection, closed loop
	// Lag is how late requests of an open loop left: this part of each latency is
	// the generator's own. Operation.Pace has it for each operation and phase.
	Lag *Latency `json:"lag,omitempty"`
}

// A Phase is one part of the measured time.
type Phase struct {
	Name    string      `json:"name"`
	From    float64     `json:"from"` // seconds since the end of the warm-up
	Seconds float64     `json:"seconds"`
	Ops     []Operation `json:"ops"`              // in the scenario's order
	Beside  bool        `json:"beside,omitempty"` // the server had to do more than these requests
	// KeepAlives are the requests by which brokers stayed registered meanwhile, and Fences
	// those that made sure, at the end, that oneway requests were read. They are not measured;
	// the server's CPU time is theirs as well. Results of older versions do not have them.
	KeepAlives uint64   `json:"keepAlives,omitempty"`
	Fences     uint64   `json:"fences,omitempty"`
	Server     *Process `json:"server,omitempty"` // CPU of this phase alone; nil without process id
}

// An Operation is one kind of request within one phase. A request belongs to
// the phase in which it was to be sent.
type Operation struct {
	Name      string            `json:"name"` // route, miss, register, heartbeat, queryDataVersion, unregister
	Oneway    bool              `json:"oneway,omitempty"`
	Sent      uint64            `json:"sent"`
	Answered  uint64            `json:"answered"` // rightly; the latencies are theirs
	Wrong     uint64            `json:"wrong"`
	Errors    map[string]uint64 `json:"errors,omitempty"` // by kind: see ErrorKinds
	PerSecond float64           `json:"perSecond"`        // answered within the phase, per second of it; sent, when oneway
	// AfterPhase are those answered when the phase had ended. A server that is asked more than it
	// can do answers all in the end.
	AfterPhase uint64  `json:"afterPhase,omitempty"`
	Latency    Latency `json:"latency"`
	Bytes      Bytes   `json:"bytes"`
	// Histogram is the HDR histogram of the latencies in nanoseconds: its
	// compressed V2 form in base64, as HdrHistogram's tools read it.
	Histogram string `json:"histogram,omitempty"`
	Pace      *Pace  `json:"pace,omitempty"` // in an open loop; nil in a closed one
}

// The kinds of errors: outcomes that are neither a right nor a wrong reply.
const (
	ErrorBusy       = "busy"       // SYSTEM_BUSY: the server refuses under load
	ErrorClosed     = "closed"     // the connection closed before the answer came
	ErrorUnanswered = "unanswered" // no answer by the end of the run
	ErrorConnect    = "connect"    // no connection to send on
	ErrorOverrun    = "overrun"    // not sent: too many unanswered requests already
	ErrorNotReady   = "notReady"   // no route of a topic whose brokers come or go
	ErrorDiffers    = "differs"    // a replay: another code than was recorded
	ErrorShrunken   = "shrunken"   // a route of fewer brokers than before, though none has gone: see Survival
)

// ErrorKinds lists all keys of Operation.Errors, in the order to show them.
var ErrorKinds = []string{ErrorBusy, ErrorClosed, ErrorUnanswered, ErrorConnect, ErrorOverrun, ErrorNotReady, ErrorDiffers, ErrorShrunken}

// Bytes counts the bytes of whole frames.
type Bytes struct {
	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
}

// A Latency is a distribution in microseconds: from the moment a request was
// to be sent (open loop) or was sent (closed loop) to the reply. All zero when
// nothing was answered.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// A Point is one second of a run, by the time of the replies.
type Point struct {
	Second int     `json:"second"`        // 0 is the first one measured
	Rate   float64 `json:"rate"`          // replies in this second
	P50    float64 `json:"p50,omitempty"` // microseconds; 0 when there was no reply
	P99    float64 `json:"p99"`           // likewise
	Phase  string  `json:"phase"`         // at the end of the second

	ServerCPU float64 `json:"serverCpu,omitempty"` // cores that the server kept busy in this second; 0 without process id
	ServerRSS uint64  `json:"serverRss,omitempty"` // of the server at its end
}

// A Milestone is a moment that was waited for.
type Milestone struct {
	Name    string  `json:"name"` // such as "every route back"
	Seconds float64 `json:"seconds"`
	Since   string  `json:"since"` // what the seconds count from, such as "kill"
	Reached bool    `json:"reached"`
}

// A Step is one stop of a scenario that goes in steps.
type Step struct {
	Connections        int     `json:"connections"`
	Seconds            float64 `json:"seconds"` // to get there
	RSS                uint64  `json:"rss"`     // of the server; 0 without process id
	BytesPerConnection float64 `json:"bytesPerConnection"`
	FDs                int     `json:"fds"`
	Latency            Latency `json:"latency"` // of probes at this step
}

// A Survival is what became of routes while something happened to the server or
// its brokers, from that moment until every route was whole again. No broker
// left, as far as clients can know. Lookups are those of the readers.
type Survival struct {
	Event   string `json:"event"` // the name of its phase
	Lookups uint64 `json:"lookups"`

	// Failed lookups got no route, for one of the four reasons below. A client
	// keeps the route it has.
	Failed     uint64 `json:"failed"`
	Unreached  uint64 `json:"unreached"`  // no connection, or it closed: the server was away
	NotFound   uint64 `json:"notFound"`   // TOPIC_NOT_EXIST
	Refused    uint64 `json:"refused"`    // SYSTEM_BUSY
	Unanswered uint64 `json:"unanswered"` // or not sent, as too many were unanswered
	// Shrunken routes name fewer brokers than before, with SUCCESS. A client
	// drops the others.
	Shrunken uint64 `json:"shrunken"`
	// Late are right routes after more than 3 s, when Java clients have given up.
	Late uint64 `json:"late"`

	Topics         int `json:"topics"`         // all there are
	TopicsLost     int `json:"topicsLost"`     // a lookup of it was NotFound
	TopicsShrunken int `json:"topicsShrunken"` // a route of it was shrunken
	Brokers        int `json:"brokers"`        // all there are
	BrokersLeftOut int `json:"brokersLeftOut"` // a route that should name it did not
	// Seconds after the event began when the first and the last route came that
	// was missing or shrunken; both 0 when none was.
	LackingFrom float64 `json:"lackingFrom"`
	LackingTo   float64 `json:"lackingTo"`
	// RegistrationsMissed counts registrations of the whole run that had no
	// success, where brokers register on their period.
	RegistrationsMissed uint64 `json:"registrationsMissed"`

	Recovery *Recovery `json:"recovery,omitempty"`
}

// A Process is what the system says of one process, or of all processes of a
// server together, over the measured time. Memory that processes share counts for
// each of them.
type Process struct {
	CPUSeconds       float64 `json:"cpuSeconds"` // user and system
	CPUUserSeconds   float64 `json:"cpuUserSeconds"`
	CPUSystemSeconds float64 `json:"cpuSystemSeconds"`
	// Per million requests sent, those that are not measured too, where all were of one kind and
	// the server had nothing else to do; else 0: see DropMixedCPU.
	CPUSecondsPerMillion float64 `json:"cpuSecondsPerMillion"`
	PeakRSS              uint64  `json:"peakRss"` // since the process started
	RSS                  uint64  `json:"rss"`     // at the end
	Threads              int     `json:"threads"`
	FDs                  int     `json:"fds"`
	Processes            int     `json:"processes,omitempty"` // of a server; 0 is not known
}

// A Ceiling is what the generator reaches against a server that only echoes:
// the same requests, connections and depth, in a closed loop, each answered
// with as many bytes as the real server sent. A result near its ceiling says
// more about the generator than about the server.
type Ceiling struct {
	PerSecond           float64 `json:"perSecond"`
	ReplyBytes          int     `json:"replyBytes"`
	Seconds             float64 `json:"seconds"`
	Latency             Latency `json:"latency"`
	Connections         int     `json:"connections"`
	Depth               int     `json:"depth"`
	GeneratorPerMillion float64 `json:"generatorPerMillion"`        // CPU seconds of the generator per million requests
	ServerPerMillion    float64 `json:"serverPerMillion,omitempty"` // of the echo server, when it is a process of its own
	SameProcess         bool    `json:"sameProcess,omitempty"`      // the echo server ran inside the generator
}

// A Sample is one wrong reply.
type Sample struct {
	Operation string `json:"operation"`
	Phase     string `json:"phase"`
	Reason    string `json:"reason"`
	Asked     string `json:"asked"` // the request in short, such as "route topic-00012"
	Reply     string `json:"reply"` // the start of the frame, quoted
}

// maxSamples bounds Result.Samples.
const maxSamples = 10

// Options name the target of a run and how to reach it; a Scenario says what to
// do.
type Options struct {
	Target Target // Address is needed; with a PID the process is measured
	Label  string
	Seed   uint64

	TLS *tls.Config // of all connections; nil speaks without. The server's name is the target's host when empty

	Workers     int  // event loops of the generator; 0 is 1
	AllowRemote bool // load targets that are not on loopback
	Commit      string
	Server      Server        // what `restart` kills and starts and `pause` stops; nil refuses those scenarios
	CeilingFor  time.Duration // how long to measure the ceiling; 0 leaves it out
	StartEcho   EchoStarter   // nil runs the echo server inside this process
	MaxErrors   *ErrorLimits  // nil are DefaultErrorLimits

	// Versus names the servers of the comparison that the run is a part of. Its
	// thresholds are checked for sense, and left to the comparison to decide.
	Versus []string

	Part  Part                            // of the load; the zero value makes all of it
	Ready func(ctx context.Context) error // called when all connections are there, before any load; nil goes on
	Crew  Crew                            // makes the load; nil lets this process make it
	// Warm lasts as long as the warm-up of a part does: whoever puts the parts together says
	// when all are warm. seen returns what was seen since it was called last; it may be called
	// until Warm returns. nil: the part warms up as the scenario says.
	Warm func(ctx context.Context, seen func() Seen) error

	// Floor says that the target answers everything with the same bytes: nothing
	// is registered, no reply is checked, and milestones are not waited for.
	Floor bool
}

// A Server is a server process that a scenario may kill and start again, or
// stop for a while.
type Server interface {
	// Start starts the process and returns when it accepts connections.
	Start(ctx context.Context) error
	// Kill ends the process at once (SIGKILL) and returns when it is gone.
	Kill() error
	// Pause stops the process (SIGSTOP) and Resume lets it go on (SIGCONT).
	Pause() error
	Resume() error
	// Target is valid after Start; its PID changes with each.
	Target() Target
}

// An EchoStarter starts a server that answers every request with reply, a
// whole frame in which only the opaque is replaced, and returns its address,
// its process id (0 when it is this process) and how to stop it.
type EchoStarter func(ctx context.Context, reply []byte) (addr string, pid int, stop func(), err error)

// A Progress says how a run is doing. It is given about once a second, from
// one goroutine at a time.
type Progress struct {
	Stage    string        // "preload", "warm-up", a phase's name, "ceiling", "cleanup"
	Elapsed  time.Duration // since the stage began
	Total    time.Duration // of the stage; 0 when unknown
	Done     int           // of a preload: brokers registered
	Of       int           //
	Rate     float64       // replies per second, of late
	P50      time.Duration // of late
	P99      time.Duration // of late
	Errors   uint64        // so far, wrong replies too
	InFlight int

	// What the server took of late: cores that it kept busy, and its memory. Both 0
	// while nothing is measured, and without process id.
	ServerCPU float64
	ServerRSS uint64
}
