package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// starts are the ways in which the operator of RocketMQ, charts and people start a name
// server, and what they give it beside.
var starts = []struct {
	name    string
	variant string
	command []string // none: the image's own
	config  bool     // a file of properties is mounted
}{
	{name: "the image's own command"},
	{name: "operator", command: []string{"sh", "mqnamesrv"}},
	{name: "chart with a file", command: []string{"sh", "-c", "./mqnamesrv -c /home/rocketmq/config/namesrv.p"}, config: true},
	{name: "chart by PATH", command: []string{"sh", "-c", "mqnamesrv"}},
	{name: "chart by release", command: []string{"sh", "-c", "cd /home/rocketmq/rocketmq-4.9.4/bin && ./mqnamesrv"}},
	{name: "bash", command: []string{"bash", "mqnamesrv"}},
	{name: "without returning", command: []string{"sh", "mqnamesrv", "-d"}},
	{name: "scratch", variant: "-scratch"},
	{name: "scratch with a file", variant: "-scratch", command: []string{"-c", "/home/rocketmq/config/namesrv.p"}, config: true},
}

// TestStarts starts the images of the folder GONAMESRV_DIST in all these ways, as user 3000
// in a root that has nothing but the image, and asks each server over TCP. It needs root,
// for chroot and for a network in which port 9876 is free.
func TestStarts(t *testing.T) {
	dist := os.Getenv("GONAMESRV_DIST")
	if dist == "" {
		t.Skip("GONAMESRV_DIST names no folder with a release")
	}
	if os.Getuid() != 0 {
		t.Fatal("this needs root")
	}
	roots, configs := map[string]string{}, map[string]v1.Config{}
	for _, v := range variants {
		found, _ := filepath.Glob(filepath.Join(dist, "gonamesrv-*-linux-"+runtime.GOARCH+".docker.tar"))
		found = slices.DeleteFunc(found, func(name string) bool { return strings.Contains(name, "-scratch-") != (v.suffix != "") })
		if len(found) != 1 {
			t.Fatalf("%d images %q in %s", len(found), v.suffix, dist)
		}
		image, err := tarball.ImageFromPath(found[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		root := t.TempDir()
		if err := os.Chmod(root, 0o755); err != nil {
			t.Fatal(err)
		}
		unpack(t, image, root)
		roots[v.suffix], configs[v.suffix] = root, config.Config
	}

	// The thread is not given back: it ends with this goroutine, and its network with it.
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	nsctl := filepath.Join(roots[""], bin, "nsctl")
	for _, s := range starts {
		start(t, s.name, roots[s.variant], configs[s.variant], s.command, s.config, nsctl)
	}
	list := exec.Command("/bin/busybox", "--list")
	list.SysProcAttr = inside(roots[""])
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	has := strings.Fields(string(out))
	for _, name := range applets {
		if !slices.Contains(has, name) {
			t.Errorf("busybox has no %s", name)
		}
	}
}

// inside is how a process of a container runs.
func inside(root string) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Chroot:     root,
		Credential: &syscall.Credential{Uid: rocketmq, Gid: rocketmq},
		Setpgid:    true,
		Pdeathsig:  syscall.SIGKILL,
	}
}

// start starts a server in the network of this thread, asks it, and ends it.
func start(t *testing.T, what, root string, config v1.Config, command []string, file bool, nsctl string) {
	t.Helper()
	if len(command) == 0 {
		command = config.Cmd
	}
	command = append(slices.Clone(config.Entrypoint), command...)
	if config.User != strconv.Itoa(rocketmq)+":"+strconv.Itoa(rocketmq) {
		t.Errorf("%s: the image's user is %s", what, config.User)
	}
	port := "9876"
	properties := filepath.Join(root, home, "config", "namesrv.p")
	if file {
		port = "9877"
		if err := os.WriteFile(properties, []byte("listenPort=9877\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(properties)
	}
	program := command[0]
	if !strings.Contains(program, "/") {
		program = "/bin/" + program
	}
	var log strings.Builder
	c := exec.Command(program)
	c.Args = command
	c.Env = config.Env
	c.Dir = config.WorkingDir
	c.Stdout, c.Stderr = &log, &log
	c.SysProcAttr = inside(root)
	if err := c.Start(); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	end := func() error {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			t.Errorf("%s: it does not end", what)
			return <-ended
		}
	}
	for deadline := time.Now().Add(patience); ; {
		out, err := exec.Command(nsctl, "-n", "127.0.0.1:"+port, "version").CombinedOutput()
		if err == nil && strings.Contains(string(out), "gonamesrv") {
			break
		}
		select {
		case err := <-ended:
			t.Errorf("%s: it has ended: %v: %s", what, err, &log)
			return
		default:
		}
		if time.Now().After(deadline) {
			_ = end()
			t.Errorf("%s: no reply: %v: %s%s", what, err, out, &log)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := end(); err != nil && command[0] != "sh" && command[0] != "bash" { // a shell dies of the signal
		t.Errorf("%s: it ends with %v: %s", what, err, &log)
	}
	state := filepath.Join(root, home, "namesrv")
	if list, err := os.ReadDir(state); err != nil || len(list) == 0 {
		t.Errorf("%s: it has kept nothing: %v", what, err)
	}
	for _, name := range []string{"routes.snap", "kvConfig.json"} {
		_ = os.Remove(filepath.Join(state, name))
	}
}
