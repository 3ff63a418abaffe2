//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// newListWithin is how long a broker may take to use a list of name servers that it was
// given while it runs: it looks every two minutes, and registers with its next period.
const newListWithin = 4*soon + brokerUp

// TestMigrating does what docs/MIGRATING.md says: it puts ours in the place of a Java name
// server, with its file and its key-value store, gives the broker a longer list by the
// command of that page, and puts Java's back.
func TestMigrating(t *testing.T) {
	needTools(t)
	t.Parallel()
	if reference != "" {
		t.Skip("it is about ours")
	}
	page, err := os.ReadFile("../../docs/MIGRATING.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`bin/mqadmin (updateBrokerConfig) -n ns1:9876 (-c) DefaultCluster (-k) (namesrvAddr) (-v) '`).FindStringSubmatch(string(page))
	if command == nil {
		t.Fatal("the page has no command that gives brokers a new list")
	}
	const version, set = "5.5.0", "broker-a"
	dir := workDir(t)
	place := startNamesrvOf(t, filepath.Join(dir, "place"), version)
	b := startBroker(t, dir, brokerSpec{version: version, name: set, namesrv: place.addr()})
	admin := newMQAdmin(t, dir, version, place.addr())
	isThere := func(t *testing.T, ns *namesrv, within string) {
		t.Helper()
		waitFor(t, brokerUp, "the broker is in the route of "+within, func() error { return registered(ns.addr(), set, b) })
	}
	put := func(t *testing.T, key string) {
		t.Helper()
		if out := admin.run(t, "updateKvConfig", "-s", "MIGRATING", "-k", key, "-v", "value of "+key); !strings.Contains(out, "success") {
			t.Fatalf("updateKvConfig prints %s", out)
		}
	}
	has := func(t *testing.T, keys ...string) {
		t.Helper()
		for _, key := range keys {
			r, err := ask(place.addr(), 101, versionNew, map[string]string{"namespace": "MIGRATING", "key": key})
			if err != nil || r.ExtFields["value"] != "value of "+key {
				t.Errorf("the value of %s is %q, %v", key, r.ExtFields["value"], err)
			}
		}
	}
	isThere(t, place, "Java's")
	put(t, "java")

	step(t, "ours takes the place of Java's", func(t *testing.T) {
		place.stop(t)
		text, err := os.ReadFile(place.conf)
		if err != nil {
			t.Fatal(err)
		}
		writeProperties(t, place.conf, []string{string(text), "adminServerPort=0", "trustLoopback=true", "selfProtection=on"})
		place.java = ""
		place.start(t)
		isThere(t, place, "ours")
		has(t, "java")
		put(t, "ours")
		has(t, "java", "ours")
	})

	step(t, "a longer list", func(t *testing.T) {
		other := startNamesrvOf(t, filepath.Join(dir, "other"), "")
		out := admin.run(t, command[1], command[2], cluster, command[3], command[4], command[5], fmt.Sprintf("%s;%s", place.addr(), other.addr()))
		if !strings.Contains(out, "success") {
			t.Fatalf("%s prints %s", command[1], out)
		}
		took := waitFor(t, newListWithin, "the broker is in the route of the new name server", func() error { return registered(other.addr(), set, b) })
		t.Logf("the broker has registered with the new one after %v", took)
	})

	step(t, "and the way back", func(t *testing.T) {
		place.stop(t)
		place.java = version
		place.start(t)
		isThere(t, place, "Java's")
		has(t, "java", "ours")
	})
}
