package main

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"testing"

	"gonamesrv/internal/namesrv"
)

// The tests of the Java program, one for one: the number in front is that of the
// table in docs/COMPAT.md.

// launch runs the program until it serves, and returns where, and a function
// that ends it and returns its exit code.
func launch(t *testing.T) (addr string, end func() int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	var stdout, stderr output
	file := properties(t, "bindAddress=127.0.0.1", "listenPort=0")
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"-c", file}, noEnv, &stdout, &stderr) }()
	ask(t, &stdout)
	return "127.0.0.1:" + booted.FindStringSubmatch(stdout.String())[1], func() int {
		stop()
		return <-ended
	}
}

// The program that is started says so and serves.
//
// Java: NamesrvStartupTest#testStart
func TestU01_testStart(t *testing.T) {
	_, end := launch(t)
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// The program that is told to end closes its server: nobody listens any more
// when it has ended.
//
// Java: NamesrvStartupTest#testShutdown
func TestU02_testShutdown(t *testing.T) {
	addr, end := launch(t)
	if conn, err := net.Dial("tcp", addr); err != nil {
		t.Errorf("nobody listens while it runs: %v", err)
	} else {
		conn.Close()
	}
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("somebody listens after it has ended")
	}
}

// The command line has the options -c and -p, by both their names.
//
// Java: NamesrvStartupTest#testBuildCommandlineOptions
func TestU03_testBuildCommandlineOptions(t *testing.T) {
	for _, args := range [][]string{{"-c", "file", "-p"}, {"--configFile", "file", "--printConfigItem"}} {
		f, err := parseFlags(args, io.Discard)
		if want := (flags{configFile: "file", printConfig: true}); err != nil || f != want {
			t.Errorf("%q gives %+v, %v; want %+v", args, f, err, want)
		}
	}
}

// As long as no file is named there are no properties: the configuration is the
// default one, which is kept in the home folder, and nothing is said of a file.
//
// Java: NamesrvStartupTest#testGetProperties
func TestU04_testGetProperties(t *testing.T) {
	f, err := parseFlags(nil, io.Discard)
	if err != nil || f != (flags{}) {
		t.Fatalf("an empty command line gives %+v, %v", f, err)
	}
	var stdout output
	cfg, notes, err := configure(f, noEnv, &stdout)
	want := namesrv.DefaultConfig()
	want.KVConfigPath = filepath.Join(homeDir(noEnv), "namesrv", "kvConfig.json")
	want.RouteSnapshotPath = filepath.Join(homeDir(noEnv), "namesrv", "routes.snap")
	want.ConfigStorePath = filepath.Join(homeDir(noEnv), "namesrv", "namesrv.properties")
	if err != nil || len(notes) > 0 || !reflect.DeepEqual(cfg, want) {
		t.Errorf("the configuration is %+v, %v, want\n%+v", cfg, err, want)
	}
	if got := stdout.String(); got != "" {
		t.Errorf("the program says %q", got)
	}
}
