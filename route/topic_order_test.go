package route

import (
	"hash/maphash"
	"testing"

	"gonamesrv/codec"
)

// TestTopicsAreFoundInOrder: the topics of a body that has been registered before, by
// this broker or by another one, are found without a look-up by name, all but the
// first; also where the sender leaves one out, and around one that was added.
func TestTopicsAreFoundInOrder(t *testing.T) {
	order := []string{"C", "A", "E", "B", "D", "F"}
	table := New(Options{})
	body := func(names ...string) *codec.RegisterBrokerBody {
		b := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Counter: 1}}
		for _, name := range names {
			b.Topics = append(b.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
		}
		return b
	}
	mustRegister(t, table, benchRegistration(0, body(order...)))
	mustRegister(t, table, benchRegistration(1, body("C", "E", "B", "new", "D", "F"))) // without A
	byName := table.topicQueueTable
	for _, c := range [][]string{
		{"C", "A", "E", "B", "new", "D", "F"},
		{"C", "E", "B", "D", "F"},
		{"C", "A", "B", "new", "F"},
	} {
		guess := topicGuess{t: table}
		for i, name := range c {
			table.topicQueueTable = newTrie[*TopicEntry](maphash.MakeSeed())
			if i == 0 {
				table.topicQueueTable = byName
			}
			if e, ok := guess.find([]byte(name)); !ok || e.name != name {
				t.Errorf("%v: %s was not foreseen", c, name)
			}
		}
	}
	table.topicQueueTable = byName
	guess := topicGuess{t: table}
	for _, name := range []string{"F", "C", "D", "A"} { // in no order that was ever seen
		if e, ok := guess.find([]byte(name)); !ok || e.name != name {
			t.Errorf("%s was not found: %+v", name, e)
		}
	}
	if _, ok := guess.find([]byte("nobody has it")); ok {
		t.Error("a topic was found that nobody has")
	}
}
