package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrorCounts are the requests of a run, or of a part of it, that did not get a
// right reply, each counted once.
type ErrorCounts struct {
	Requests uint64 `json:"requests"` // sent, or to be sent
	Wrong    uint64 `json:"wrong"`    // a wrong reply
	Refused  uint64 `json:"refused"`  // ErrorBusy
	Missing  uint64 `json:"missing"`  // no reply, or not sent: ErrorClosed, ErrorUnanswered, ErrorConnect, ErrorOverrun
	// Lacking routes are none or lack brokers, while brokers come and go:
	// ErrorNotReady, ErrorShrunken.
	Lacking uint64 `json:"lacking"`
	// Differs counts replies of a replay with another code than was recorded: ErrorDiffers.
	Differs uint64 `json:"differs,omitempty"`
}

// Any reports whether there is any error.
func (c ErrorCounts) Any() bool { return c.Wrong+c.Refused+c.Missing+c.Lacking+c.Differs > 0 }

// Add adds another part.
func (c *ErrorCounts) Add(o ErrorCounts) {
	c.Requests += o.Requests
	c.Wrong += o.Wrong
	c.Refused += o.Refused
	c.Missing += o.Missing
	c.Lacking += o.Lacking
	c.Differs += o.Differs
}

// Offered counts all requests that were to be sent.
func (o Operation) Offered() uint64 { return o.Sent + o.Errors[ErrorConnect] + o.Errors[ErrorOverrun] }

// ErrorCounts counts the errors of one operation.
func (o *Operation) ErrorCounts() ErrorCounts {
	e := o.Errors
	return ErrorCounts{
		Requests: o.Sent + e[ErrorConnect] + e[ErrorOverrun], Wrong: o.Wrong, Refused: e[ErrorBusy],
		Missing: e[ErrorClosed] + e[ErrorUnanswered] + e[ErrorConnect] + e[ErrorOverrun], Lacking: e[ErrorNotReady] + e[ErrorShrunken],
		Differs: e[ErrorDiffers],
	}
}

// ErrorCounts counts the errors of the measured phases, and wrong replies also
// before and after. Results of older versions know them by phase only.
func (r *Result) ErrorCounts() (sum ErrorCounts) {
	if r.Errors != nil {
		return *r.Errors
	}
	for i := range r.Phases {
		for j := range r.Phases[i].Ops {
			sum.Add(r.Phases[i].Ops[j].ErrorCounts())
		}
	}
	return sum
}

// ErrorLimits bound the errors of a run that is right, in percent: wrong replies
// of all requests; refused and missing ones of the requests of each kind. What an
// event does is not bounded: see Survival. Apart from them, a run fails when a
// connection breaks or a reply never comes where the scenario does not provoke it.
type ErrorLimits struct {
	Wrong   float64 `json:"wrong"`
	Refused float64 `json:"refused"`
	Missing float64 `json:"missing"`
}

// DefaultErrorLimits allow no wrong reply, and 1 % of refused and of missing ones.
func DefaultErrorLimits() ErrorLimits { return ErrorLimits{Wrong: 0, Refused: 1, Missing: 1} }

// ParseErrorLimits reads limits such as "wrong=0.1%,refused=5%"; those not named
// are the default ones.
func ParseErrorLimits(text string) (ErrorLimits, error) {
	l := DefaultErrorLimits()
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' }) {
		name, value, ok := strings.Cut(word, "=")
		v, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
		if !ok || err != nil || !(v >= 0 && v <= 100) {
			return l, fmt.Errorf("max-errors: %q is no limit such as refused=5%%", word)
		}
		switch name {
		case "wrong":
			l.Wrong = v
		case "refused":
			l.Refused = v
		case "missing":
			l.Missing = v
		default:
			return l, fmt.Errorf("max-errors: there is no kind %q; there are wrong, refused and missing", name)
		}
	}
	return l, nil
}

// over reports whether n of so many are more than a limit in percent.
func over(n, of uint64, limit float64) bool { return float64(n)*100 > limit*float64(of) }

// judgeErrors counts the errors, and says which of them are too many.
func (r *run) judgeErrors() (failures []string) {
	res, limits := r.res, DefaultErrorLimits()
	if r.opt.MaxErrors != nil {
		limits = *r.opt.MaxErrors
	}
	if r.guest() { // whoever puts the parts together judges them, by all that there were
		limits = ErrorLimits{Wrong: 100, Refused: 100, Missing: 100}
	}
	all := res.ErrorCounts()
	all.Wrong = max(all.Wrong, r.d.wrongs) // also those of no phase
	res.Errors, res.MaxErrors = &all, &limits
	if over(all.Wrong, all.Requests, limits.Wrong) {
		failures = append(failures, fmt.Sprintf("%d wrong replies%s", all.Wrong, such(r.d.samples)))
	}
	return append(failures, r.judgeKinds(limits)...)
}

// such is the first sample, as the end of a sentence.
func such(samples []Sample) string {
	if len(samples) == 0 {
		return ""
	}
	return fmt.Sprintf(", such as: %s: %s", samples[0].Asked, samples[0].Reason)
}

// judgeKinds judges refused and missing requests, kind by kind: a few
// registrations must not hide behind many reads.
func (r *run) judgeKinds(limits ErrorLimits) (failures []string) {
	var names []string
	counts := map[string]*ErrorCounts{}
	for i := range r.res.Phases {
		if r.event != "" && i+1 == eventPhase {
			continue
		}
		for j := range r.res.Phases[i].Ops {
			op := &r.res.Phases[i].Ops[j]
			if !slices.Contains(names, op.Name) {
				names = append(names, op.Name)
				counts[op.Name] = new(ErrorCounts)
			}
			counts[op.Name].Add(op.ErrorCounts())
		}
	}
	for _, name := range names {
		c := counts[name]
		for _, kind := range []struct {
			what  string
			n     uint64
			limit float64
			leave bool
		}{
			{"refused (SYSTEM_BUSY)", c.Refused, limits.Refused, false},
			// After an event connections may be on their way back, and who interrupts
			// a run may end the server too.
			{"not answered, or not sent", c.Missing, limits.Missing, r.event != "" || r.res.Interrupted},
		} {
			if !kind.leave && over(kind.n, c.Requests, kind.limit) {
				failures = append(failures, fmt.Sprintf("%s: %d of %d requests were %s, that is %.3g %%, and at most %g %% may be",
					name, kind.n, c.Requests, kind.what, float64(kind.n)*100/float64(c.Requests), kind.limit))
			}
		}
	}
	return failures
}
