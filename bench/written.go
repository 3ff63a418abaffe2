package bench

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Set changes one parameter to what its user wrote. Parameters that nobody wrote
// give way to it: see fit.
func (sc *Scenario) Set(key, text string) error {
	if err := sc.Params.Set(key, text); err != nil {
		return err
	}
	_, f, _ := sc.Params.field(key)
	sc.written |= 1 << f.Index[0]
	return nil
}

func (sc *Scenario) wrote(key string) bool {
	_, f, ok := sc.Params.field(key)
	return ok && sc.written&(1<<f.Index[0]) != 0
}

// fix changes a parameter whatever its user wrote, who is not to be told of it.
func (sc *Scenario) fix(key, text string) {
	if err := sc.Set(key, text); err != nil {
		panic(err) // of a text of ours
	}
	_, f, _ := sc.Params.field(key)
	sc.written &^= 1 << f.Index[0]
}

// fit changes defaults that contradict what the user wrote: who asks for one
// broker has no topic on two. It leaves a scenario alone of which nothing was
// written with Set.
func (sc *Scenario) fit(k *Kind) {
	if sc.written == 0 {
		return
	}
	p := &sc.Params
	free := func(key string) bool { return slices.Contains(k.Keys(), key) && !sc.wrote(key) }
	least := 1 // brokers that what was written needs
	for key, n := range map[string]int{"brokers-per-topic": p.BrokersPerTopic, "registrars": p.Registrars} {
		if sc.wrote(key) {
			least = max(least, min(n, maxBrokers))
		}
	}
	if sc.wrote("death") && p.Death == deathAll {
		least = max(least, leastOfAllDeaths)
	}
	if free("brokers") {
		p.Brokers = max(p.Brokers, least)
	}
	if free("brokers-per-topic") {
		p.BrokersPerTopic = min(p.BrokersPerTopic, max(1, p.Brokers))
		if sc.wrote("topics") && p.Topics > 0 {
			p.BrokersPerTopic = min(p.BrokersPerTopic, max(1, maxTopics/p.Topics))
		}
	}
	if free("topics") && p.BrokersPerTopic > 0 {
		p.Topics = min(p.Topics, max(1, maxTopics/p.BrokersPerTopic))
	}
	if free("registrars") {
		p.Registrars = min(p.Registrars, max(1, p.Brokers))
	}
	if free("death") && p.Death == deathAll && p.Brokers < leastOfAllDeaths {
		p.Death = deathClose
	}
	// Who says how many are to be unanswered wants a closed loop.
	if free("rate") && sc.wrote("depth") && p.Depth > 1 && len(sc.Stages) == 0 {
		p.Rate = 0
	}
	if free("changed") && (p.Form == formSplit || sc.wrote("bump") && !p.Bump) {
		p.Changed = 0
	}
}

// idle says which parameter that the user wrote means nothing beside the others, and would
// be passed over in silence.
func (sc *Scenario) idle() error {
	p := &sc.Params
	open := p.Rate > 0
	switch {
	case sc.wrote("depth") && p.Depth > 1 && open:
		return fmt.Errorf("depth is of a closed loop, and with a rate of %g/s there is none", p.Rate)
	case sc.wrote("pause-up-to") && p.PauseUpTo > 0 && sc.Kind == "register" && open:
		return fmt.Errorf("registrars that rest up to %v have no rate, and it is %g/s", time.Duration(p.PauseUpTo), p.Rate)
	case sc.wrote("arrivals") && p.poisson() && !open:
		return errors.New("arrivals are of requests that have a rate, and in a closed loop they have none: rate is 0")
	case sc.wrote("warmup-most") && sc.wrote("warmup") && p.Warmup != UntilStill:
		return errors.New("warmup-most is of a warm-up until the figure stands still, and its time is fixed")
	}
	return nil
}
