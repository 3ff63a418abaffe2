//go:build interop

package interop

import (
	"slices"
	"strings"
)

// A release is what a Java name server of one version has and has not,
// compared with 5.5.0.
type release struct {
	version string
	queues  bool     // it carries unregistrations out after it has answered them
	lacks   []string // commands it does not know
	old     bool     // 4.x: no acting masters, zones and state versions; topics of masters only
	setups  []setup
}

// A setup is a configuration that both servers run with.
type setup struct {
	name    string
	conf    []string
	binary  bool // serialize type ROCKETMQ
	order   bool // histories configure ordered topics: the namespace stays for good, and shows in all registrations
	closed  bool // too little is answered for random histories
	carried bool // the stories of route are told here
}

var releases = []*release{
	{version: "5.5.0", queues: true, setups: []setup{
		{name: "plain", carried: true},
		{name: "acting", order: true, conf: []string{"supportActingMaster=true", "deleteTopicWithBrokerRegistration=true", "orderMessageEnable=true"}},
		{name: "binary", binary: true, order: true},
		{name: "gates", closed: true, conf: []string{
			"enableTopicList=false", "enableAllTopicList=false",
			"needWaitForService=true", "waitSecondsForService=100000",
		}},
	}},
	{version: "4.9.7", lacks: []string{"members", "heartbeat", "topic", "raw", "delete", "expire"}, old: true, setups: []setup{
		{name: "plain"},
	}},
}

func (r *release) knows(cmd string) bool { return !slices.Contains(r.lacks, cmd) }

// text evens out what a release words otherwise.
func (r *release) text(reply string) string {
	if r.old {
		reply = strings.ReplaceAll(reply, "https://rocketmq.apache.org/docs/bestPractice/06FAQ", "http://rocketmq.apache.org/docs/faq/")
	}
	return reply
}

// body takes out fields that the release does not know.
func (r *release) body(n *node) {
	if r.old {
		n.drop(`"enableActingMaster"`, "false")
		n.drop(`"stateVersion"`, "0")
	}
}
