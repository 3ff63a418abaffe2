//go:build interop

package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSplitRegistration lets a broker register its topics ten at a time (103),
// and each new topic by itself, as REGISTER_TOPIC_IN_NAMESRV (217) and as a
// registration of one topic. The broker has our server and a Java one in its
// list: both must end up with the same topics and routes.
func TestSplitRegistration(t *testing.T) {
	needTools(t)
	t.Parallel()
	const version, set, partSize = "5.5.0", "broker-a", 10
	dir := workDir(t)
	ns := startNamesrv(t, filepath.Join(dir, "subject"))
	java := startNamesrvOf(t, filepath.Join(dir, "java"), version)
	servers := []*namesrv{ns, java}
	wire := startTap(t, ns.addr())
	b := startBroker(t, dir, brokerSpec{
		version: version, name: set, namesrv: wire.addr() + ";" + java.addr(),
		conf: []string{
			"enableSplitRegistration=true", fmt.Sprintf("splitRegistrationSize=%d", partSize),
			"enableSingleTopicRegister=true",
		},
	})
	// known returns nil if both servers know the same topics, these among them,
	// with the same routes.
	known := func(topics ...string) error {
		if err := b.stillRuns(); err != nil {
			return err
		}
		ours, err := askTopicList(ns.addr())
		if err != nil {
			return err
		}
		theirs, err := askTopicList(java.addr())
		if err != nil {
			return err
		}
		if !slices.Equal(ours, theirs) {
			return fmt.Errorf("topics: got %q, want those of the Java name server, %q", ours, theirs)
		}
		for _, topic := range topics {
			if !slices.Contains(ours, topic) {
				return fmt.Errorf("topics: %s is not among %q", topic, ours)
			}
		}
		return sameRoutes(servers, ours...)
	}
	// wholeTable waits until the broker has registered all topics once more.
	wholeTable := func(t *testing.T, topics []string) {
		t.Helper()
		before := len(wire.asked(codeRegisterBroker))
		waitFor(t, afterRestart, "the broker registers all its topics", func() error {
			missing := slices.Clone(topics)
			for _, x := range wire.asked(codeRegisterBroker)[before:] {
				part, err := registeredTopics(x)
				if err != nil {
					return hopeless{err}
				}
				if len(part) > partSize {
					return hopeless{fmt.Errorf("a registration has %d topics: %q", len(part), part)}
				}
				if !x.answered {
					return errors.New("a registration is not answered")
				}
				missing = slices.DeleteFunc(missing, func(topic string) bool { return slices.Contains(part, topic) })
			}
			if len(missing) > 0 {
				return fmt.Errorf("it has not registered %q", missing)
			}
			return nil
		})
	}

	step(t, "a broker registers with both name servers", func(t *testing.T) {
		waitFor(t, brokerUp, "all its own topics are known", func() error { return known(set) })
	})

	var topics []string
	step(t, "50 topics are known as soon as they are made, each by a request 217", func(t *testing.T) {
		for i := range 50 {
			topic := fmt.Sprintf("SplitTopic%02d", i)
			goCreateTopic(t, ns.addr(), b, topic)
			topics = append(topics, topic)
		}
		waitFor(t, soon, "both servers know them", func() error { return known(topics...) })
		if got := len(wire.asked(codeRegisterTopic)); got < len(topics) {
			t.Errorf("requests 217: got %d, want %d", got, len(topics))
		}
	})

	step(t, "mqadmin changes and makes topics, with requests 217 and 103", func(t *testing.T) {
		single, split := len(wire.asked(codeRegisterTopic)), len(wire.asked(codeRegisterBroker))
		run := func(commands ...string) {
			for i, c := range commands {
				verb, args, _ := strings.Cut(c, " ")
				commands[i] = fmt.Sprintf("%s -n %s -b %s %s", verb, ns.addr(), b.addr(), args)
			}
			for i, out := range runAdminBatch(t, filepath.Join(dir, "mqadmin"), version, commands) {
				if !strings.Contains(out, "success") {
					t.Fatalf("mqadmin %s: got no success in:\n%s", commands[i], out)
				}
			}
		}
		const change = "updateTopic -t SplitTopic01 -r 4 -w 1"
		run(
			"updateTopic -t SplitTopic00 -r 3 -w 2",
			"updateTopic -t By217 -r 5 -w 6",
			"updateBrokerConfig -k enableSingleTopicRegister -v false",
			change,
			"updateTopic -t By103 -r 2 -w 7",
		)
		// A broker that is registering all its topics meanwhile sends what it has read before
		// the change with the version after it. Java, too, then ignores the change.
		for i := 0; i < 3 && topicQueues(java.addr(), "SplitTopic01", set, 4, 1) != nil; i++ {
			t.Log("the Java name server has not taken the change of SplitTopic01; once more")
			run(change)
		}
		topics = append(topics, "By217", "By103")
		waitFor(t, soon, "both servers know them", func() error {
			return errors.Join(
				topicQueues(ns.addr(), "SplitTopic00", set, 3, 2),
				topicQueues(ns.addr(), "SplitTopic01", set, 4, 1),
				topicQueues(ns.addr(), "By217", set, 5, 6),
				topicQueues(ns.addr(), "By103", set, 2, 7),
				known(topics...),
			)
		})
		if got := len(wire.asked(codeRegisterTopic)) - single; got < 2 {
			t.Errorf("requests 217: got %d, want 2", got)
		}
		if _, err := wire.answered(codeRegisterTopic); err != nil {
			t.Error(err)
		}
		var alone []string
		for _, x := range wire.asked(codeRegisterBroker)[split:] {
			if part, err := registeredTopics(x); err == nil && len(part) == 1 && x.reply == replySuccess {
				alone = append(alone, part...)
			}
		}
		for _, topic := range []string{"SplitTopic01", "By103"} {
			if !slices.Contains(alone, topic) {
				t.Errorf("topics that were registered alone: got %q, want %s among them", alone, topic)
			}
		}
	})

	step(t, "they stay when the broker registers again, ten at a time", func(t *testing.T) {
		wholeTable(t, topics)
		waitFor(t, soon, "all topics are known", func() error { return known(topics...) })
	})

	step(t, "a restarted name server has them back at the broker's next registration", func(t *testing.T) {
		ns.stop(t)
		ns.start(t)
		took := waitFor(t, afterRestart, "all topics are known", func() error { return known(topics...) })
		t.Logf("healed after %v", took)
		checkClusterInfo(t, ns, set, b)
	})
}

// registeredTopics returns the topics of a registration.
func registeredTopics(x exchange) ([]string, error) {
	var body struct {
		Wrapper struct {
			Table map[string]json.RawMessage `json:"topicConfigTable"`
		} `json:"topicConfigSerializeWrapper"`
	}
	if err := json.Unmarshal(x.body, &body); err != nil {
		return nil, fmt.Errorf("body of a registration: %w in %s", err, x.body)
	}
	var topics []string
	for topic := range body.Wrapper.Table {
		topics = append(topics, topic)
	}
	return topics, nil
}

// askTopicList returns the names of all topics, sorted.
func askTopicList(addr string) ([]string, error) {
	r, err := ask(addr, codeTopicList, versionNew, nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Topics []string `json:"topicList"`
	}
	if err := json.Unmarshal(r.body, &list); err != nil || r.Code != replySuccess {
		return nil, fmt.Errorf("topic list: reply code %d, %w in %s", r.Code, err, r.body)
	}
	slices.Sort(list.Topics)
	return list.Topics, nil
}
