package bench

import "time"

// Params are the numbers of a scenario. A scenario reads those that it names
// in its description; the others are zero. The key of each in files and on the
// command line is its JSON name.
type Params struct {
	Brokers         int      `json:"brokers,omitempty"`
	Topics          int      `json:"topics,omitempty"`            // in all
	BrokersPerTopic int      `json:"brokers-per-topic,omitempty"` //
	Connections     int      `json:"connections,omitempty"`       // that read
	Registrars      int      `json:"registrars,omitempty"`        // connections that register
	Depth           int      `json:"depth,omitempty"`             // unanswered requests per connection, in a closed loop
	Rate            float64  `json:"rate,omitempty"`              // requests per second; 0 is a closed loop
	Requests        int      `json:"requests,omitempty"`          // end after so many per stream; 0 goes by time
	Warmup          Duration `json:"warmup,omitempty"`
	Duration        Duration `json:"duration,omitempty"` // of each phase

	Bump      bool     `json:"bump,omitempty"`    // every registration has a new data version
	Changed   float64  `json:"changed,omitempty"` // percent of the topics that each registration changes
	Form      string   `json:"form,omitempty"`    // of registrations: plain, compressed, split
	Header    string   `json:"header,omitempty"`  // of requests: JSON or ROCKETMQ
	Code      string   `json:"code,omitempty"`    // of heartbeats: 904, 322, both
	Oneway    bool     `json:"oneway,omitempty"`
	Hz        float64  `json:"hz,omitempty"`    // heartbeats per second of one broker
	Death     string   `json:"death,omitempty"` // of brokers: close, kill, silence, all
	Steps     int      `json:"steps,omitempty"`
	Timeout   Duration `json:"timeout,omitempty"`     // how long to wait for answers at the end, and for milestones
	PauseUpTo Duration `json:"pause-up-to,omitempty"` // a registrar pauses up to so long between two registrations
}

// A Duration is written as Go writes it: 1m30s.
type Duration time.Duration

// MarshalText writes d.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads d.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
