package capacity

import (
	"fmt"
	"time"

	"gonamesrv/bench"
)

// A Size is so many brokers and names of topics. Either each broker has all names, or each
// name has one broker.
type Size struct {
	Brokers int  `json:"brokers"`
	Names   int  `json:"names"`
	Shared  bool `json:"shared"` // each broker has all of them
}

// ownTopics are those that each broker registers beside its share of the names: see
// bench's topicsOfItsOwn.
const ownTopics = 2

// topics is how many the server knows when all brokers have registered.
func (s Size) topics() int { return s.Names + ownTopics*s.Brokers }

// entries is how many it knows, an entry being one topic on one broker.
func (s Size) entries() int {
	if s.Shared {
		return (s.Names + ownTopics) * s.Brokers
	}
	return s.topics()
}

func (s Size) String() string {
	how := "of their own"
	if s.Shared {
		how = "on each"
	}
	return fmt.Sprintf("%d brokers, %d topics %s", s.Brokers, s.Names, how)
}

// The readers: as in the scenario route, one request at a time each.
const readers = 64

// scenario is what reads from brokers of that size.
func (s Size) scenario(reads int) (bench.Scenario, error) {
	kind, err := bench.FindKind("route")
	if err != nil {
		return bench.Scenario{}, err
	}
	sc := kind.Scenario()
	p := &sc.Params
	p.Brokers, p.Topics, p.BrokersPerTopic = s.Brokers, s.Names, 1
	if s.Shared {
		p.BrokersPerTopic = s.Brokers
	}
	p.Connections, p.Depth, p.Requests = readers, 1, reads
	p.Duration, p.Timeout = bench.Duration(10*time.Minute), bench.Duration(time.Minute)
	err = sc.Validate()
	return sc, err
}
