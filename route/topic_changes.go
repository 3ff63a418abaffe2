package route

// What a registration may have done to topics is counted, and some of them are named:
// there may be hundreds of thousands.
const (
	mostNewNames     = 2
	mostAddedNames   = 1
	mostChangedNames = 2
)

// A TopicChanges says what one registration has changed of topics. Of each kind
// it names the first ones, five in all at most; the names are owned.
// Java: RouteInfoManager#createAndUpdateQueueData, its log lines.
type TopicChanges struct {
	New     int // topics that nobody had
	Added   int // topics that others have, and the broker name had not
	Changed int // topics of the broker name whose queues, permission or flags are others now

	NewNames, AddedNames, ChangedNames []string
}

func (c *TopicChanges) isNew(name string) {
	c.New, c.NewNames = counted(c.New, c.NewNames, name, mostNewNames)
}

func (c *TopicChanges) added(name string) {
	c.Added, c.AddedNames = counted(c.Added, c.AddedNames, name, mostAddedNames)
}

func (c *TopicChanges) changed(name string) {
	c.Changed, c.ChangedNames = counted(c.Changed, c.ChangedNames, name, mostChangedNames)
}

func counted(n int, names []string, name string, most int) (int, []string) {
	if len(names) < most {
		names = append(names, name)
	}
	return n + 1, names
}

// Any reports whether there is anything to say.
func (c *TopicChanges) Any() bool { return c.New+c.Added+c.Changed > 0 }
