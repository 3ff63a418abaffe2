package bench

import "strings"

// DropMixedCPU takes back the CPU time per million requests where it says
// nothing: of phases, and of the whole run, in which requests were of several
// kinds, or in which the server had something else to do. A registration of
// 10,000 topics and a read are not two of a kind, and probes did not cost what
// the connections cost that they probe. It is for results of older versions, too.
// Requests that keep brokers registered count as the others do, where they are few: no
// more than mostKept percent of all.
func (r *Result) DropMixedCPU() {
	whole := ""
	for i := range r.Phases {
		p := &r.Phases[i]
		kind := r.kindOf(p)
		if p.Server != nil && kind == "" {
			p.Server.CPUSecondsPerMillion = 0
		}
		if i == 0 {
			whole = kind
		}
		if kind != whole {
			whole = ""
		}
	}
	if whole == "" {
		r.Server.CPUSecondsPerMillion, r.Generator.CPUSecondsPerMillion = 0, 0
	}
}

// mostKept is in percent.
const mostKept = 2

// requests are all that were sent, measured or not.
func (p *Phase) requests() uint64 {
	n := p.KeepAlives + p.Fences
	for _, op := range p.Ops {
		n += op.Sent
	}
	return n
}

// kindOf returns the one kind of request that the server was busy with in p, ""
// when there was more.
func (r *Result) kindOf(p *Phase) (kind string) {
	if k, err := FindKind(r.Scenario.Kind); p.Beside || (err == nil && k.beside) {
		return ""
	}
	for _, op := range p.Ops {
		if op.Sent == 0 {
			continue
		}
		// A heartbeat is one, whether it wants an answer or not.
		name, _, _ := strings.Cut(op.Name, " (")
		if kind != "" && kind != name {
			return ""
		}
		kind = name
	}
	if kind != opQuery && over(p.KeepAlives, p.requests(), mostKept) {
		return ""
	}
	return kind
}
