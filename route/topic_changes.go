package route

import "slices"

// A TopicChanges says what one registration has changed of topics. Of each kind it names
// the first five, for there may be hundreds of thousands; the names are owned. The log,
// the Journal and Stats all take their numbers from here.
// Java: RouteInfoManager#createAndUpdateQueueData, its log lines.
type TopicChanges struct {
	New     int // topics that nobody had
	Added   int // topics that others have, and the broker name had not
	Changed int // topics of the broker name whose queues, permission or flags are others now
	Mapped  int // static mappings that are others now
	Removed int // topics that the broker name has no longer

	NewNames, AddedNames, ChangedNames, MappedNames, RemovedNames []string
}

func (c *TopicChanges) isNew(name string)   { count(&c.New, &c.NewNames, name) }
func (c *TopicChanges) added(name string)   { count(&c.Added, &c.AddedNames, name) }
func (c *TopicChanges) changed(name string) { count(&c.Changed, &c.ChangedNames, name) }
func (c *TopicChanges) mapped(name string)  { count(&c.Mapped, &c.MappedNames, name) }
func (c *TopicChanges) removed(name string) { count(&c.Removed, &c.RemovedNames, name) }

func count(n *int, names *[]string, name string) {
	*n++
	if len(*names) < maxSample {
		*names = append(*names, name)
	}
}

// Any reports whether topics are new, or added, or changed.
func (c *TopicChanges) Any() bool { return c.New+c.Added+c.Changed > 0 }

// counts are the numbers as the Journal has them.
func (c *TopicChanges) counts() TopicCounts {
	return TopicCounts{Added: int32(c.New + c.Added), Changed: int32(c.Changed + c.Mapped), Removed: int32(c.Removed)}
}

// sample returns the names of up to maxSample topics.
func (c *TopicChanges) sample() []string {
	all := slices.Concat(c.NewNames, c.AddedNames, c.ChangedNames, c.MappedNames, c.RemovedNames)
	return all[:min(len(all), maxSample)]
}
