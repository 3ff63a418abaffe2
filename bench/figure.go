package bench

// What a threshold can be of, beside requests.
const (
	ofServer    = "server"
	ofLookups   = "lookups"
	ofMilestone = "milestone"
)

// A figureName is a figure and what it counts.
type figureName struct {
	name string
	of   measure
}

// FirstReply is the figure of a server that only comparisons know.
const FirstReply = "first-reply"

// The figures of requests, of the server and of lookups, in the order to show them.
var (
	requestFigures = append([]figureName{
		{"p50", micros},
		{"p90", micros},
		{"p99", micros},
		{"p99.9", micros},
		{"max", micros},
		{"mean", micros},
		{"rate", rate},
		{"wrong", counted},
		{"errors", counted},
	}, countedFigures(ErrorKinds)...)
	serverFigures = []figureName{
		{"cpu", perMillion}, {"cores", plainNumber}, {"memory", size}, {"peak", size}, {"threads", plainNumber}, {"files", plainNumber}, {FirstReply, lapse},
	}
	lookupFigures = countedFigures([]string{"failed", "unreached", "notFound", "refused", "unanswered", "shrunken", "late"})
)

func countedFigures(names []string) (out []figureName) {
	for _, n := range names {
		out = append(out, figureName{n, counted})
	}
	return out
}

// figuresOf are the figures that a threshold of that request may name.
func figuresOf(request string) []figureName {
	switch request {
	case ofServer:
		return serverFigures
	case ofLookups:
		return lookupFigures
	default:
		return requestFigures
	}
}
