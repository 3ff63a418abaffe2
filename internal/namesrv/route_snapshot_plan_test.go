package namesrv

import (
	"testing"
	"time"

	"gonamesrv/route"
)

// TestSnapshotPlan tells a plan what happens, second by second, and looks when it
// wants what.
func TestSnapshotPlan(t *testing.T) {
	const s = time.Second
	type step func(*snapshotPlan)
	change := func(at time.Duration) step { return func(p *snapshotPlan) { p.change(at, false) } }
	urgent := func(at time.Duration) step { return func(p *snapshotPlan) { p.change(at, true) } }
	wrote := func(began, ended time.Duration) step { return func(p *snapshotPlan) { p.wrote(began, ended, 0) } }
	rested := func(began, ended, slept time.Duration) step {
		return func(p *snapshotPlan) { p.wrote(began, ended, slept) }
	}
	stamped := func(at time.Duration) step { return func(p *snapshotPlan) { p.stamped(at) } }
	failed := func(at time.Duration) step { return func(p *snapshotPlan) { p.failed(at) } }
	for name, c := range map[string]struct {
		steps []step
		task  snapshotTask
		at    time.Duration // 0 is never
	}{
		"nothing":                       {},
		"a change":                      {[]step{change(5 * s)}, writeSnapshot, 15 * s},
		"many changes":                  {[]step{change(5 * s), change(8 * s), change(14 * s)}, writeSnapshot, 15 * s},
		"an urgent one":                 {[]step{urgent(5 * s)}, writeSnapshot, 6 * s},
		"many urgent ones":              {[]step{urgent(5 * s), urgent(5*s + s/2), urgent(6 * s)}, writeSnapshot, 7 * s},
		"an urgent one, long after":     {[]step{change(5 * s), urgent(14*s + s/2)}, writeSnapshot, 15 * s},
		"a change after an urgent one":  {[]step{urgent(5 * s), change(5*s + s/2)}, writeSnapshot, 6 * s},
		"urgent ones without end":       {[]step{urgent(5 * s), urgent(9 * s), urgent(14*s + s/2)}, writeSnapshot, 15 * s},
		"nothing since a write":         {[]step{urgent(5 * s), wrote(6*s, 7*s)}, stampSnapshot, 67 * s},
		"nothing since a stamp":         {[]step{wrote(6*s, 7*s), stamped(68 * s)}, stampSnapshot, 128 * s},
		"soon after a write":            {[]step{wrote(6*s, 6*s+s/2), urgent(7 * s)}, writeSnapshot, 26 * s},
		"soon after one with pauses":    {[]step{rested(6*s, 16*s, 9*s+s/2), urgent(17 * s)}, writeSnapshot, 26 * s},
		"just after one with pauses":    {[]step{rested(6*s, 8*s, s), urgent(8 * s)}, writeSnapshot, 46 * s},
		"soon after a short write":      {[]step{wrote(6*s, 6*s+s/100), urgent(7 * s)}, writeSnapshot, 8 * s},
		"soon after a write that hung":  {[]step{wrote(0, time.Hour), urgent(time.Hour)}, writeSnapshot, time.Hour + s},
		"soon after a very long write":  {[]step{wrote(0, 100*s), urgent(101 * s)}, writeSnapshot, longestSpacing},
		"a failure":                     {[]step{urgent(5 * s), failed(6 * s)}, writeSnapshot, 7 * s},
		"three failures":                {[]step{urgent(5 * s), failed(6 * s), failed(7 * s), failed(9 * s)}, writeSnapshot, 13 * s},
		"changes do not hurry it":       {[]step{failed(6 * s), failed(7 * s), failed(9 * s), urgent(10 * s)}, writeSnapshot, 13 * s},
		"failures without end":          {[]step{urgent(0), failed(s), failed(s), failed(s), failed(s), failed(s), failed(s), failed(s), failed(s)}, writeSnapshot, 61 * s},
		"a success after failures":      {[]step{urgent(0), failed(s), failed(2 * s), wrote(4*s, 4*s), urgent(5 * s)}, writeSnapshot, 6 * s},
		"a failure after a success":     {[]step{urgent(0), failed(s), failed(2 * s), wrote(4*s, 4*s), urgent(5 * s), failed(6 * s)}, writeSnapshot, 7 * s},
		"a stamp that fails":            {[]step{wrote(0, s), failed(61 * s)}, stampSnapshot, 62 * s},
		"no stamp while changes wait":   {[]step{wrote(0, 2*s), change(79 * s)}, writeSnapshot, 89 * s},
		"a stamp does not delay writes": {[]step{wrote(0, s/10), stamped(61 * s), urgent(61 * s)}, writeSnapshot, 62 * s},
	} {
		var p snapshotPlan
		for _, do := range c.steps {
			do(&p)
		}
		if task, at, ok := p.next(); ok != (c.at != 0) || ok && (task != c.task || at != c.at) {
			t.Errorf("%s: task %d at %v, %v; want %d at %v", name, task, at, ok, c.task, c.at)
		}
	}
}

// TestSnapshotAge ages a stamp by the clock that counts.
func TestSnapshotAge(t *testing.T) {
	wall := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	stamp := &route.SnapshotStamp{WallMillis: wall.UnixMilli(), BootID: "one", BoottimeNanos: int64(time.Hour)}
	const unknown = -1
	for name, c := range map[string]struct {
		now  routeStamp
		want time.Duration
	}{
		"same run":                        {routeStamp{wall.Add(20 * time.Second), "one", time.Hour + 20*time.Second}, 20 * time.Second},
		"same run, wall clock set ahead":  {routeStamp{wall.Add(100 * time.Hour), "one", time.Hour + 20*time.Second}, 20 * time.Second},
		"same run, wall clock set back":   {routeStamp{wall.Add(-100 * time.Hour), "one", time.Hour + 20*time.Second}, 20 * time.Second},
		"same run, that began later":      {routeStamp{wall.Add(20 * time.Second), "one", time.Minute}, unknown},
		"next run":                        {routeStamp{wall.Add(40 * time.Second), "two", 30 * time.Second}, 40 * time.Second},
		"next run, wall clock a bit back": {routeStamp{wall.Add(-5 * time.Second), "two", 30 * time.Second}, 0},
		"next run, wall clock of 1970":    {routeStamp{time.Unix(30, 0), "two", 30 * time.Second}, unknown},
		"nobody knows the run":            {routeStamp{wall.Add(40 * time.Second), "", 0}, 40 * time.Second},
	} {
		age, ok := ageOf(stamp, c.now)
		if ok != (c.want != unknown) || ok && age != c.want {
			t.Errorf("%s: %v, %v, want %v", name, age, ok, c.want)
		}
	}
	if age, ok := ageOf(&route.SnapshotStamp{WallMillis: wall.UnixMilli(), BoottimeNanos: int64(time.Hour)}, routeStamp{wall.Add(time.Minute), "", 0}); !ok || age != time.Minute {
		t.Errorf("nobody ever knew the run: %v, %v", age, ok)
	}
}

// TestShadowCounts compares what was with what is.
func TestShadowCounts(t *testing.T) {
	set := func(name string, addrs ...string) route.SavedSet {
		s := route.SavedSet{Name: name}
		for i, a := range addrs {
			s.Members = append(s.Members, route.SavedMember{ID: int64(i), Addr: a})
		}
		return s
	}
	was := &route.Saved{
		Sets:   []route.SavedSet{set("a", "1", "2"), set("b", "3")},
		Offers: []route.SavedOffer{{Perm: 6}, {Perm: 4}},
		Topics: []route.SavedTopic{{Name: "T", Rows: 2}, {Name: "U", Rows: 1}, {Name: "V", Rows: 1}},
		Rows:   []route.SavedRow{{Set: 0, Offer: 0}, {Set: 1, Offer: 0}, {Set: 0, Offer: 0}, {Set: 0, Offer: 0}},
	}
	is := &route.Saved{
		Sets:   []route.SavedSet{set("c", "5"), set("a", "1", "9")},
		Offers: []route.SavedOffer{{Perm: 4}, {Perm: 6}},
		Topics: []route.SavedTopic{{Name: "U", Rows: 1}, {Name: "T", Rows: 2}, {Name: "W", Rows: 1}},
		Rows:   []route.SavedRow{{Set: 1, Offer: 0}, {Set: 0, Offer: 1}, {Set: 1, Offer: 1}, {Set: 0, Offer: 1}},
	}
	want := RouteShadowStats{
		Brokers: ShadowCount{Right: 1, Stale: 2, Missing: 1}, // a/0; a/1 elsewhere, b gone; c new
		Rows:    ShadowCount{Right: 1, Stale: 3, Missing: 2}, // T on a; T on b and V on a gone, U on a another; T and W on c
	}
	if got := compareSaved(was, is); got != want {
		t.Errorf("it is %+v, want %+v", got, want)
	}
}
