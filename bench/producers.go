package bench

import "fmt"

// autoCreateTopic is the topic whose route a producer takes when its own topic
// has none. Java: TopicValidator#AUTO_CREATE_TOPIC_KEY_TOPIC.
const autoCreateTopic = "TBW102"

// planMisses lets producers send to topics that do not exist, while others
// read. Such a producer asks for its topic, then for TBW102, and its
// application tries again at once.
func planMisses(r *run) error {
	r.addReaders()
	ops := [2]int{r.addOp(opMiss, false), r.addOp("miss "+autoCreateTopic, false)}
	second := routeRequest(r.fleet.header, autoCreateTopic)
	r.addStream(&stream{
		name: "producers", connections: r.p.Producers, depth: 1, from: 2, requests: r.part(1),
		source: func(i int) source {
			name := fmt.Sprintf("nsbench-unknown-%06d", i)
			return &lookups{
				requests: [2]*template{routeRequest(r.fleet.header, name), second},
				wants:    [2]*wantMiss{{name}, {autoCreateTopic}}, ops: ops,
			}
		},
	})
	r.parts = []part{{name: "quiet", do: r.untilHalf}, {name: "misses"}}
	return nil
}

// lookups are those of a producer without a topic: one, then the other.
type lookups struct {
	requests [2]*template
	wants    [2]*wantMiss
	ops      [2]int
	i        int
}

func (s *lookups) next(dst []byte, opaque int32) ([]byte, ask) {
	i := s.i
	s.i = 1 - i
	return s.requests[i].appendTo(dst, opaque), ask{op: s.ops[i], want: s.wants[i]}
}

func (s *lookups) reset() { s.i = 0 }
