package admin

import (
	"os"
	"sync"

	"gonamesrv/internal/namesrv"
)

// What RocketMQ calls its metrics since 5.1, so that boards that were made for brokers
// show name servers beside them. Java's name server emits none.
// Java: RemotingMetricsConstant, BrokerMetricsConstant, NODE_TYPE_NAMESRV.

// nodeLabels are on all of RocketMQ's metrics.
var nodeLabels = []string{"cluster", "node_type", "node_id"}

var watermark = define("rocketmq_processor_watermark", gaugeKind, nil,
	"As brokers of RocketMQ 5 have it: requests that wait for a worker of a pool.", append(nodeLabels[:3:3], "processor")...)

// nodeID names this server among others as brokers name themselves: it is the name of
// the machine, which is no address.
var nodeID = sync.OnceValue(func() string {
	name, _ := os.Hostname()
	return labelOf(name)
})

// javaNode are the values of nodeLabels.
func javaNode(more ...string) []string { return append([]string{"", "nameserver", nodeID()}, more...) }

func (e emitter) javaNames(s *namesrv.Snapshot) {
	e.add(watermark, float64(s.ClientPool.Depth), javaNode("client")...)
	e.add(watermark, float64(s.DefaultPool.Depth), javaNode("default")...)
}
