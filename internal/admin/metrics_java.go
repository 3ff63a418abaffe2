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

// rpcLatency does not tell response codes apart: times are kept by request code. Java's
// result is that of writing the reply, not what the reply says.
// Java: RemotingMetricsManager, NettyRemotingAbstract#writeResponse.
var rpcLatency = define("rocketmq_rpc_latency", histogramKind, []float64{1, 3, 5, 7, 10, 100, 1000, 2000, 3000},
	"As brokers of RocketMQ 5 have it: milliseconds that a request takes. Of all response codes together.",
	append(nodeLabels[:3:3], "protocol_type", "request_code", "response_code", "is_long_polling", "result")...)

// nodeID names this server among others as brokers name themselves: it is the name of
// the machine, which is no address.
var nodeID = sync.OnceValue(func() string {
	name, _ := os.Hostname()
	return labelOf(name)
})

// javaNode are the values of nodeLabels.
func javaNode(more ...string) []string { return append([]string{"", "nameserver", nodeID()}, more...) }

func (e emitter) javaNames(s *namesrv.Snapshot, m *namesrv.Meters) {
	for i := range m.Requests {
		if r := &m.Requests[i]; r.Duration.Count > 0 {
			e.addReading(rpcLatency, &r.Duration, 1e6, javaNode("remoting", requestCodeOf(r.Name), "", "false", "success")...)
		}
	}
	e.add(watermark, float64(s.ClientPool.Depth), javaNode("client")...)
	e.add(watermark, float64(s.DefaultPool.Depth), javaNode("default")...)
}
