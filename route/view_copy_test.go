package route

import (
	"fmt"
	"maps"
)

// A viewCopy is what a View shows, in texts that can be compared: what a watcher
// would keep of it.
type viewCopy struct {
	brokers  map[string]string
	members  map[string]map[int64]string
	topics   map[string]map[string]string // topic -> broker name -> row
	live     map[BrokerKey]string
	clusters map[string]bool
}

func newViewCopy() *viewCopy {
	return &viewCopy{map[string]string{}, map[string]map[int64]string{}, map[string]map[string]string{}, map[BrokerKey]string{}, map[string]bool{}}
}

// copyOfView reads all of v, as a reader would.
func copyOfView(v *View) *viewCopy {
	c := newViewCopy()
	for b := range v.brokers.byName.all {
		c.brokers[b.Name] = brokerText(b)
		c.members[b.Name] = map[int64]string{}
		for m := range b.Members() {
			c.members[b.Name][m.ID] = memberText(m)
		}
	}
	for e := range v.topics.all {
		if _, shown := v.Topic([]byte(e.Name())); !shown {
			continue
		}
		c.topics[e.Name()] = map[string]string{}
		for _, q := range v.PickupTopicRouteData(e, false).QueueDatas {
			mapping := "none"
			if i, ok := e.mappings.find(q.BrokerName); ok {
				mapping = fmt.Sprintf("%+v", e.mappings.byBroker[i].Info)
			}
			c.topics[e.Name()][q.BrokerName] = fmt.Sprintf("%+v %s", q, mapping)
		}
	}
	for l := range v.live.all {
		c.live[l.Key()] = liveText(l)
	}
	for l := range v.brokers.listings.all {
		c.clusters[l.cluster+" "+l.brokerName] = true
	}
	return c
}

func brokerText(b *Broker) string {
	return fmt.Sprint(b.Name, b.Cluster, b.EnableActingMaster, b.ZoneName, b.HasZoneName)
}

func memberText(m *Member) string {
	return fmt.Sprint(m.ID, m.Addr, m.EnableActingMaster, m.ZoneName, m.HasZoneName, m.FilterServers)
}

func liveText(l *LiveInfo) string {
	return fmt.Sprint(l.Key(), l.DataVersion, l.NullDataVersion, l.TimeoutMillis, l.HAServerAddr, l.Conn)
}

// apply brings c, a copy of the old View of d, up to the new one, and says what of
// d does not fit it.
func (c *viewCopy) apply(d Difference) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for ch := range d.Brokers() {
		if had := c.brokers[ch.Name] != ""; had != (ch.Old != nil) || had && c.brokers[ch.Name] != brokerText(ch.Old) {
			fault("broker %s was %+v, had %q", ch.Name, ch.Old, c.brokers[ch.Name])
		}
		if ch.New == nil {
			delete(c.brokers, ch.Name)
			for topic, rows := range c.topics {
				if delete(rows, ch.Name); len(rows) == 0 {
					delete(c.topics, topic)
				}
			}
		} else {
			c.brokers[ch.Name] = brokerText(ch.New)
		}
		if c.members[ch.Name] == nil {
			c.members[ch.Name] = map[int64]string{}
		}
		for m := range ch.Members() {
			if had := c.members[ch.Name][m.ID]; (had != "") != (m.Old != nil) || had != "" && had != memberText(m.Old) {
				fault("member %d of %s was %+v, had %q", m.ID, ch.Name, m.Old, had)
			}
			if m.New == nil {
				delete(c.members[ch.Name], m.ID)
			} else {
				c.members[ch.Name][m.ID] = memberText(m.New)
			}
		}
		if len(c.members[ch.Name]) == 0 {
			delete(c.members, ch.Name)
		}
	}
	for ch := range d.Topics() {
		if len(ch.Rows()) == 0 {
			fault("topic %s has changed, but no row", ch.Name)
		}
		if c.topics[ch.Name] == nil {
			c.topics[ch.Name] = map[string]string{}
		}
		rows := c.topics[ch.Name]
		for _, r := range ch.Rows() {
			if r.New == nil {
				delete(rows, r.BrokerName)
				continue
			}
			mapping := "none"
			if r.NewMapping != nil {
				mapping = fmt.Sprintf("%+v", *r.NewMapping)
			}
			text := fmt.Sprintf("%+v %s", *r.New, mapping)
			if text == rows[r.BrokerName] {
				fault("topic %s of %s has not changed from %s", ch.Name, r.BrokerName, text)
			}
			rows[r.BrokerName] = text
		}
		if len(rows) == 0 {
			delete(c.topics, ch.Name)
		}
		if _, there := c.topics[ch.Name]; there != (ch.New != nil) {
			fault("topic %s: rows %v are left, the new entry is %v", ch.Name, rows, ch.New)
		}
	}
	for ch := range d.Live() {
		if had := c.live[ch.Key]; (had != "") != (ch.Old != nil) || had != "" && had != liveText(ch.Old) {
			fault("live entry %v was %+v, had %q", ch.Key, ch.Old, had)
		}
		if ch.New == nil {
			delete(c.live, ch.Key)
		} else {
			c.live[ch.Key] = liveText(ch.New)
		}
	}
	for ch := range d.Clusters() {
		key := ch.Cluster + " " + ch.BrokerName
		if c.clusters[key] == ch.Listed {
			fault("%s was listed: %v", key, c.clusters[key])
		}
		if delete(c.clusters, key); ch.Listed {
			c.clusters[key] = true
		}
	}
	return faults
}

func (c *viewCopy) differs(b *viewCopy) string {
	sameRows := func(a, b map[string]string) bool { return maps.Equal(a, b) }
	sameMembers := func(a, b map[int64]string) bool { return maps.Equal(a, b) }
	switch {
	case !maps.Equal(c.brokers, b.brokers):
		return fmt.Sprintf("brokers %v, want %v", c.brokers, b.brokers)
	case !maps.EqualFunc(c.members, b.members, sameMembers):
		return fmt.Sprintf("members %v, want %v", c.members, b.members)
	case !maps.EqualFunc(c.topics, b.topics, sameRows):
		return fmt.Sprintf("topics %v, want %v", c.topics, b.topics)
	case !maps.Equal(c.live, b.live):
		return fmt.Sprintf("live %v, want %v", c.live, b.live)
	case !maps.Equal(c.clusters, b.clusters):
		return fmt.Sprintf("clusters %v, want %v", c.clusters, b.clusters)
	}
	return ""
}

// changes returns how many changes d tells of.
func (d Difference) changes() (n int) {
	for range d.Brokers() {
		n++
	}
	for range d.Topics() {
		n++
	}
	for range d.Live() {
		n++
	}
	for range d.Clusters() {
		n++
	}
	return n
}
