//go:build interop

package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// A nsctlPart is one part of what nsctl diff -o json prints.
type nsctlPart struct {
	Part        string
	Differ      int
	Differences []struct {
		Name, What string
		Said       map[string]any
	}
}

// nsctlDiff runs nsctl diff.
func nsctlDiff(nsctl string, args ...string) (code int, parts map[string]nsctlPart, err error) {
	out, err := exec.Command(nsctl, append([]string{"diff", "-o", "json"}, args...)...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code, err = exit.ExitCode(), nil
		if code > 1 {
			return code, nil, fmt.Errorf("exit %d: %s", code, exit.Stderr)
		}
	}
	var a struct {
		Complete bool
		Parts    []nsctlPart
	}
	if err == nil {
		err = json.Unmarshal(out, &a)
	}
	if err == nil && !a.Complete {
		err = fmt.Errorf("not complete: %s", out)
	}
	parts = map[string]nsctlPart{}
	for _, p := range a.Parts {
		parts[p.Part] = p
	}
	return code, parts, err
}

// TestNsctlDiff lets nsctl compare Java's name servers and ours while a real broker
// registers with all of them: brokers, topics, all routes and the KV config agree. What is
// unregistered on one of them is found there, and so is a key of the KV config that one
// lacks, or has with another value.
func TestNsctlDiff(t *testing.T) {
	needTools(t)
	t.Parallel()
	if reference != "" {
		t.Skip("compares servers by itself")
	}
	dir := workDir(t)
	nsctl := filepath.Join(dir, "nsctl")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", nsctl, "./cmd/nsctl")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build nsctl: %v\n%s", err, out)
	}
	java5 := startNamesrvOf(t, filepath.Join(dir, "java5"), "5.5.0")
	java4 := startNamesrvOf(t, filepath.Join(dir, "java4"), "4.9.7")
	ours := startNamesrvOf(t, filepath.Join(dir, "ours"), "")
	all := []*namesrv{ours, java5, java4}
	b := startBroker(t, dir, brokerSpec{version: "4.9.7", name: "broker-all", namesrv: ours.addr() + ";" + java5.addr() + ";" + java4.addr()})
	step(t, "the broker is in all routes", func(t *testing.T) {
		for _, ns := range all {
			waitFor(t, brokerUp, "the broker is in the route", func() error { return registered(ns.addr(), b.name, b) })
		}
	})
	addrs := []string{ours.addr(), java5.addr(), java4.addr()}
	step(t, "nothing differs", func(t *testing.T) {
		// All routes, while the broker registers again: what differs must differ for longer than that.
		_, parts, err := nsctlDiff(nsctl, append([]string{"--deep"}, addrs...)...)
		if err != nil {
			t.Fatal(err)
		}
		if parts["brokers"].Differ+parts["topics"].Differ+parts["kv"].Differ > 0 || len(parts) != 4 {
			t.Errorf("got %+v", parts)
		}
		t.Logf("configuration: %+v", parts["config"].Differences)
		// The same release, and one that has its keys, differ in nothing.
		for _, config := range parts["config"].Differences {
			if config.Said[ours.addr()] != nil && config.Said[java5.addr()] != nil && config.Said[ours.addr()] != config.Said[java5.addr()] {
				t.Errorf("%+v: our default is not that of 5.5.0", config)
			}
		}
	})
	step(t, "the KV config differs", func(t *testing.T) {
		put := func(ns *namesrv, key, value string) {
			t.Helper()
			reply, err := ask(ns.addr(), 100, versionNew, map[string]string{"namespace": "ORDER_TOPIC_CONFIG", "key": key, "value": value})
			if err != nil || reply.Code != replySuccess {
				t.Fatalf("put %s: %v, %+v", key, err, reply)
			}
		}
		for i, ns := range all { // in another order at each
			for k := range 20 {
				put(ns, fmt.Sprintf("SAME/%d", (7*k+i)%20), `broker-a:8;"größe":4`)
			}
		}
		differ := func(want ...string) {
			t.Helper()
			code, parts, err := nsctlDiff(nsctl, append([]string{"--confirm", "0s"}, addrs...)...)
			var got []string
			for _, d := range parts["kv"].Differences {
				line := d.Name
				for _, addr := range addrs {
					line += fmt.Sprint("|", d.Said[addr])
				}
				got = append(got, line)
			}
			if err != nil || len(want) > 0 && code != 1 || !slices.Equal(got, want) {
				t.Errorf("exit %d, %v: got %q, want %q", code, err, got, want)
			}
		}
		differ()
		put(java5, "JAVA", "broker-a:8")
		put(java4, "JAVA", "broker-a:4")
		put(ours, "OURS", "")
		differ("ORDER_TOPIC_CONFIG JAVA|<nil>|broker-a:8|broker-a:4", "ORDER_TOPIC_CONFIG OURS|true|false|false")
	})
	for _, at := range all {
		step(t, "what one of them lacks is found", func(t *testing.T) {
			member := fmt.Sprintf("%s 0@%s in %s", b.name, b.addr(), cluster)
			waitFor(t, brokerUp, "it is found", func() error { // the broker may register again in between
				reply, err := ask(at.addr(), codeUnregisterBroker, versionNew, map[string]string{
					"brokerName": b.name, "brokerAddr": b.addr(), "clusterName": cluster, "brokerId": "0",
				})
				if err != nil || reply.Code != replySuccess {
					return fmt.Errorf("unregister: %v, %+v", err, reply)
				}
				code, parts, err := nsctlDiff(nsctl, append([]string{"--confirm", "0s"}, addrs...)...)
				if err != nil {
					return err
				}
				brokers, topics := parts["brokers"], parts["topics"]
				if code != 1 || brokers.Differ != 1 || topics.Differ == 0 || brokers.Differences[0].Name != member {
					return fmt.Errorf("exit %d, got %+v, %+v", code, brokers, topics)
				}
				for _, ns := range all {
					if has := brokers.Differences[0].Said[ns.addr()]; has != (ns != at) {
						return fmt.Errorf("%s is said to have it: %v", ns.addr(), has)
					}
				}
				return nil
			})
			waitFor(t, brokerUp, "the broker is back", func() error { return registered(at.addr(), b.name, b) })
		})
	}
}
