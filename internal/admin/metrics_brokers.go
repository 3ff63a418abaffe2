package admin

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"gonamesrv/route"
)

var (
	activeBrokers = gauge("active_brokers", "Brokers that are registered, by what clients see in them.", "cluster", "role")
	brokerSets    = gauge("broker_sets", "Broker names.", "cluster")
	masterless    = gauge("masterless_broker_sets", "Broker names without a master.", "cluster")
	actingMasters = gauge("acting_masters", "Broker names without a master for which a slave may stand in.", "cluster")
	ageRatioMax   = gauge("heartbeat_age_ratio_max", "Of the broker that is nearest to its end: how long it has been silent, divided by how long it may be.", "cluster")

	heartbeatAge = gauge("broker_heartbeat_age_seconds", "How long nothing was heard of a broker. Left out for all if there are more than metricsMaxBrokers.", "cluster", "broker", "broker_id")
	brokerTopics = gauge("broker_topics", "Topics with queues of a broker's name. Left out for all if there are more than metricsMaxBrokers.", "cluster", "broker", "broker_id")
	omitted      = gauge("broker_series_omitted", "Brokers without metrics of their own: all, if there are more than metricsMaxBrokers, and those that have the same name as another one, once it is cut to 128 bytes.")
)

// maxClusters bounds the values of the label cluster. Of more clusters those with the
// most brokers have one, and the rest are otherCluster together.
const (
	maxClusters  = 64
	otherCluster = "other"
)

// A clusterCount is what is counted of a cluster.
type clusterCount struct {
	sets, masterless, acting int
	masters, slaves          int
	worst                    float64 // age ratio
}

func (c *clusterCount) members() int { return c.masters + c.slaves + c.acting }

func (c *clusterCount) add(o *clusterCount) {
	c.sets += o.sets
	c.masterless += o.masterless
	c.acting += o.acting
	c.masters += o.masters
	c.slaves += o.slaves
	c.worst = max(c.worst, o.worst)
}

// brokers emits what a View shows of brokers. most is how many may have metrics of
// their own; acting says that slaves may stand in for masters.
func (e emitter) brokers(v *route.View, nowMillis int64, most int, acting bool) {
	count := 0
	for b := range v.Brokers() {
		count += b.MemberCount()
	}
	each := count <= most
	seen := map[memberLabels]bool{}
	clusters := map[string]*clusterCount{}
	for b := range v.Brokers() {
		c := clusters[b.Cluster]
		if c == nil {
			c = &clusterCount{}
			clusters[b.Cluster] = c
		}
		standsIn := acting && b.EnableActingMaster && !b.HasMaster()
		c.sets++
		if !b.HasMaster() {
			c.masterless++
		}
		for m := range b.Members() {
			switch {
			case m.ID == 0:
				c.masters++
			case standsIn && m == b.First():
				c.acting++
			default:
				c.slaves++
			}
			age, timeout, ok := silence(v, b.Cluster, m.Addr, nowMillis)
			if ok && timeout > 0 {
				c.worst = max(c.worst, age/timeout)
			}
			if !each {
				continue
			}
			labels := memberLabels{labelOf(b.Cluster), labelOf(b.Name), m.ID}
			if seen[labels] {
				continue
			}
			seen[labels] = true
			id := strconv.FormatInt(m.ID, 10)
			if ok {
				e.add(heartbeatAge, age, labels.cluster, labels.broker, id)
			}
			e.add(brokerTopics, float64(b.TopicCount()), labels.cluster, labels.broker, id)
		}
	}
	e.add(omitted, float64(count-len(seen)))
	for name, c := range shownClusters(clusters) {
		e.add(activeBrokers, float64(c.masters), name, "master")
		e.add(activeBrokers, float64(c.slaves), name, "slave")
		e.add(activeBrokers, float64(c.acting), name, "acting_master")
		e.add(brokerSets, float64(c.sets), name)
		e.add(masterless, float64(c.masterless), name)
		e.add(actingMasters, float64(c.acting), name)
		e.add(ageRatioMax, c.worst, name)
	}
}

// memberLabels are what tells one broker from another.
type memberLabels struct {
	cluster, broker string
	id              int64
}

// silence returns, in seconds, how long nothing was heard of a broker, and how long it
// may be silent. It is not known of one that registers its name with another cluster.
func silence(v *route.View, cluster, addr string, nowMillis int64) (age, timeout float64, ok bool) {
	live, ok := v.Live([]byte(cluster), []byte(addr))
	if !ok {
		return 0, 0, false
	}
	age = float64(max(0, nowMillis-live.LastUpdateMillis())) / 1000
	return age, float64(live.TimeoutMillis) / 1000, true
}

// shownClusters returns the clusters by the value of their label, maxClusters and one
// at most.
func shownClusters(all map[string]*clusterCount) map[string]*clusterCount {
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(all[b].members(), all[a].members()), cmp.Compare(a, b))
	})
	shown := map[string]*clusterCount{}
	for i, name := range names {
		label := labelOf(name)
		if i >= maxClusters {
			label = otherCluster
		}
		if shown[label] == nil {
			shown[label] = &clusterCount{}
		}
		shown[label].add(all[name])
	}
	return shown
}
