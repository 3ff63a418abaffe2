//go:build interop

package interop

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// messageBody is the body of message i in a topic, the same for all clients.
func messageBody(topic string, i int) string { return fmt.Sprintf("%s-%d", topic, i) }

// checkMessages fails the test unless bodies, taken as a set, are exactly the
// count messages of topic. RocketMQ delivers at least once, so a message that
// came twice is only logged.
func checkMessages(t *testing.T, verb, topic string, count int, bodies []string) {
	t.Helper()
	times := make(map[string]int)
	for _, b := range bodies {
		times[b]++
	}
	lacking, example := 0, ""
	for i := range count {
		body := messageBody(topic, i)
		if times[body] == 0 {
			if lacking == 0 {
				example = body
			}
			lacking++
		}
		delete(times, body)
	}
	if lacking > 0 {
		errorf(t, "%s of topic %s: %d of %d messages are missing, the first is %s", verb, topic, lacking, count, example)
	}
	for body := range times {
		t.Errorf("%s of topic %s: unexpected message %q", verb, topic, body)
	}
	if n := len(bodies) - count; n > 0 && lacking == 0 {
		t.Logf("%s of topic %s: %d messages came more than once", verb, topic, n)
	}
}

// checkTalk fails the test unless a client program has sent and received the
// count messages of topic, as it prints with lines "sent BODY" and "received
// BODY", and has ended well.
func checkTalk(t *testing.T, who, topic string, count int, out string, state *os.ProcessState) {
	t.Helper()
	var sent, received, other []string
	for line := range strings.Lines(out) {
		verb, body, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "sent":
			sent = append(sent, body)
		case "received":
			received = append(received, body)
		default:
			other = append(other, line)
		}
	}
	checkMessages(t, "sent by "+who, topic, count, sent)
	checkMessages(t, "received by "+who, topic, count, received)
	if !state.Success() {
		errorf(t, "%s ended with %v", who, state)
	}
	if t.Failed() {
		const shown = 40
		t.Logf("%s: besides messages it printed:\n%s", who, strings.Join(other[max(0, len(other)-shown):], ""))
	}
}
