package route

import (
	"fmt"
	"testing"

	"gonamesrv/codec"
)

// An attack is something of which a stranger may send any amount.
type attack struct {
	name string
	// of sends n of them.
	of func(t testing.TB, n int)
}

func clusters(t testing.TB, table *Table, n int) {
	for i := range n {
		numbered(t, table, i, func(r *Registration) {
			r.Cluster, r.BrokerName, r.BrokerAddr = fmt.Sprintf("c%d", i), "b", "a"
		})
	}
}

func names(t testing.TB, table *Table, n int) {
	for i := range n {
		numbered(t, table, i, func(r *Registration) {
			r.BrokerAddr = "a"
			r.Body.FilterServers, r.Body.FilterServersNull = []string{fmt.Sprint(i)}, false
		})
	}
}

// listening has none of the limits that would keep the costs small.
func listening() *Table { return New(Options{OnEvent: func(Event) {}, Limits: boundless}) }

var attacks = []attack{
	{"clusters of an address", func(t testing.TB, n int) { clusters(t, listening(), n) }},
	{"clusters of an address, whose connection closes", func(t testing.TB, n int) {
		table := listening()
		clusters(t, table, n)
		table.ConnClosed(1)
	}},
	{"clusters of an address, which leave", func(t testing.TB, n int) {
		table := listening()
		clusters(t, table, n)
		for i := range n {
			table.UnregisterBrokers(Unregistration{fmt.Sprintf("c%d", i), "b", "a"})
		}
	}},
	{"names of an address", func(t testing.TB, n int) { names(t, listening(), n) }},
	{"names of an address, whose connection closes", func(t testing.TB, n int) {
		table := listening()
		names(t, table, n)
		table.ConnClosed(1)
	}},
	{"names of an address, which leave", func(t testing.TB, n int) {
		table := listening()
		names(t, table, n)
		for i := range n {
			table.UnregisterBrokers(Unregistration{"cluster-0", fmt.Sprintf("b%d", i), "a"})
		}
	}},
	{"IDs of a name, each the smallest, which leave", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, n-i, func(r *Registration) {
				r.BrokerName, r.BrokerID, r.EnableActingMaster, r.OldVersion = "b", int64(n-i), true, false
			})
		}
		for i := range n {
			table.UnregisterBrokers(Unregistration{"cluster-0", "b", fmt.Sprintf("a%d", i+1)})
		}
	}},
	{"IDs of a name, whose connection closes", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(r *Registration) { r.BrokerName, r.BrokerID = "b", int64(i) })
		}
		table.ConnClosed(1)
	}},
	{"brokers of a connection that closes", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
		}
		table.ConnClosed(1)
	}},
	{"brokers of a connection, which leave", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
		}
		for i := range n {
			table.UnregisterBrokers(Unregistration{"cluster-0", fmt.Sprintf("b%d", i), fmt.Sprintf("a%d", i)})
		}
	}},
	{"brokers of a connection, which go over to another", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
		}
		for i := range n {
			r := benchRegistration(0, nil)
			r.BrokerName, r.BrokerAddr, r.Conn, r.BodyHash = fmt.Sprintf("b%d", i), fmt.Sprintf("a%d", i), 2, 1
			if _, ok := table.RegisterUnchanged(1, r); !ok {
				t.Fatal("the registration is not recognised")
			}
		}
	}},
	{"brokers that expire", func(t testing.TB, n int) {
		table := listening()
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
		}
		if got := len(table.ScanNotActiveBroker(10_000_000)); got != n {
			t.Fatalf("%d of %d brokers expired", got, n)
		}
	}},
	{"brokers of a topic, by one request", func(t testing.TB, n int) {
		table := listening()
		var queues []codec.QueueData
		for i := range n {
			numbered(t, table, i, func(*Registration) {})
			queues = append(queues, codec.QueueData{BrokerName: fmt.Sprintf("b%d", i)})
		}
		if _, err := table.RegisterTopic("T", queues); err != nil {
			t.Fatal(err)
		}
		table.DeleteTopicInCluster("T", "cluster-0")
	}},
}

func empty() *codec.RegisterBrokerBody { return &codec.RegisterBrokerBody{FilterServersNull: true} }

// numbered registers broker i at an address of its own over one connection.
func numbered(t testing.TB, table *Table, i int, change func(r *Registration)) {
	r := benchRegistration(0, empty())
	r.BrokerName, r.BrokerAddr, r.Conn, r.BodyHash = fmt.Sprintf("b%d", i), fmt.Sprintf("a%d", i), 1, 1
	change(r)
	mustRegister(t, table, r)
}
