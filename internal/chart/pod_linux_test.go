package chart

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
)

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// A pod is the chart's only container as the kubelet would run it, but for cgroups and
// seccomp: the root of the image, read-only, with all that is mounted.
type pod struct {
	release
	root    string
	workDir string
	env     []string
}

// unpackImage unpacks a docker.tar into root and returns what the image says of itself.
func unpackImage(t *testing.T, file, root string) (name, workDir string, env []string) {
	t.Helper()
	dir := t.TempDir()
	untar := func(file, dir string) {
		t.Helper()
		if out, err := exec.Command("tar", "-xpf", file, "-C", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	untar(file, dir)
	load := func(name string, into any) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var images []struct {
		Config           string
		RepoTags, Layers []string
	}
	load("manifest.json", &images)
	for _, layer := range images[0].Layers {
		untar(filepath.Join(dir, layer), root)
	}
	var config struct {
		Config struct {
			Env        []string
			WorkingDir string
		} `json:"config"`
	}
	load(images[0].Config, &config)
	return images[0].RepoTags[0], config.Config.WorkingDir, config.Config.Env
}

// mount mounts, for this thread.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mounting %s: %v", target, err)
	}
}

// mountAll mounts what the container wants, with the owners and modes that fsGroup gives,
// and files as the kubelet lays them out; files has those of the projected volume.
func (p pod) mountAll(t *testing.T, files map[string]string) {
	t.Helper()
	mount(t, p.root, p.root, "", syscall.MS_BIND, "")
	group := *p.pod.SecurityContext.FSGroup
	volumes := map[string]core.Volume{}
	for _, v := range p.pod.Volumes {
		volumes[v.Name] = v
	}
	for _, m := range p.server.VolumeMounts {
		target := filepath.Join(p.root, m.MountPath)
		if err := os.MkdirAll(target, 0o755); err != nil {
			t.Fatal(err)
		}
		mount(t, "tmpfs", target, "tmpfs", 0, fmt.Sprintf("mode=2777,gid=%d", group))
		if volumes[m.Name].Projected != nil {
			data := filepath.Join(target, "..2026_11_28")
			err := os.Mkdir(data, 0o755)
			for name, text := range files {
				// 0644, and for Secrets too what fsGroup adds.
				if err == nil {
					err = os.WriteFile(filepath.Join(data, name), []byte(text), 0o644)
				}
				if err == nil {
					err = os.Symlink("..data/"+name, filepath.Join(target, name))
				}
			}
			if err == nil {
				err = os.Symlink("..2026_11_28", filepath.Join(target, "..data"))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if m.ReadOnly {
			mount(t, "", target, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
		}
	}
	mount(t, "", p.root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

// command is one that runs in the container.
func (p pod) command(args ...string) *exec.Cmd {
	program := args[0]
	if !strings.Contains(program, "/") {
		program = "/bin/" + program
	}
	c := exec.Command(program)
	user := p.pod.SecurityContext
	c.Args, c.Dir, c.Env = args, p.workDir, p.env
	for _, e := range p.server.Env {
		c.Env = append(c.Env, e.Name+"="+e.Value)
	}
	c.SysProcAttr = &syscall.SysProcAttr{
		Chroot:     p.root,
		Credential: &syscall.Credential{Uid: uint32(*user.RunAsUser), Gid: uint32(*user.RunAsGroup), Groups: []uint32{uint32(*user.FSGroup)}},
		Setpgid:    true,
		Pdeathsig:  syscall.SIGKILL,
	}
	return c
}

// get asks the HTTP API.
func (p pod) get(path string, header ...string) (string, error) {
	args := []string{"wget", "-q", "-O", "-"}
	for _, h := range header {
		args = append(args, "--header", h)
	}
	out, err := p.command(append(args, "http://127.0.0.1:19876"+path)...).CombinedOutput()
	return string(out), err
}

// life is one life of the container: it comes up, is asked, and ends by itself.
func (p pod) life(t *testing.T, ask func()) {
	t.Helper()
	var log strings.Builder
	c := p.command(p.server.Command...)
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for _, probe := range []*core.Probe{p.server.StartupProbe, p.server.LivenessProbe, p.server.ReadinessProbe} {
		for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			said, err := p.get(probe.HTTPGet.Path)
			if err == nil {
				break
			}
			select {
			case err := <-ended:
				t.Fatalf("it has ended: %v: %s", err, &log)
			default:
			}
			if time.Now().After(deadline) {
				_ = syscall.Kill(c.Process.Pid, syscall.SIGKILL)
				<-ended
				t.Fatalf("%s: %v: %s: %s", probe.HTTPGet.Path, err, said, &log)
			}
		}
	}
	ask()
	_ = syscall.Kill(c.Process.Pid, syscall.SIGTERM)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ends with %v: %s", err, &log)
		}
	case <-time.After(patience):
		_ = syscall.Kill(c.Process.Pid, syscall.SIGKILL)
		<-ended
		t.Errorf("it does not end: %s", &log)
	}
	for _, wrong := range []string{"level=WARN", "level=ERROR", "denied", "ead-only"} {
		if strings.Contains(log.String(), wrong) {
			t.Errorf("it complains: %s", &log)
			break
		}
	}
}

// TestPod runs the chart's container with the image of the folder GONAMESRV_DIST. It needs
// root, for a root and a network of its own.
func TestPod(t *testing.T) {
	dist := os.Getenv("GONAMESRV_DIST")
	if dist == "" {
		t.Skip("GONAMESRV_DIST names no folder with a release")
	}
	if os.Getuid() != 0 {
		t.Fatal("this needs root")
	}
	const token = "0123456789abcdef0123456789abcdef"
	p := pod{release: read(t, `
adminTokenSecret: people
config: {adminAnonymousLocal: probes, trustLoopback: true}
`)}
	image, root := read(t, "").server.Image, t.TempDir()
	_, version, _ := strings.Cut(image, ":")
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	p.root = root
	var name string
	name, p.workDir, p.env = unpackImage(t, filepath.Join(dist, "gonamesrv-"+version+"-linux-"+runtime.GOARCH+".docker.tar"), root)
	if name != image {
		t.Errorf("the chart wants the image %s, the release has %s", image, name)
	}

	// The thread is not given back: it ends with this goroutine, and its mounts with it.
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	mount(t, "", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer func() { _ = syscall.Unmount(root, syscall.MNT_DETACH) }() // before root is removed
	p.mountAll(t, map[string]string{
		"namesrv.properties": p.config.Data["namesrv.properties"],
		"tokens":             "read somebody " + token + "\n",
	})

	for range 2 { // the second time it finds what the first has left
		p.life(t, func() {
			if said, err := p.get("/metrics"); err == nil {
				t.Errorf("whoever has no token sees %s", said)
			}
			if said, err := p.get("/v1/config", "Authorization: Bearer "+token); err != nil || !strings.Contains(said, "/home/rocketmq/config/namesrv.properties") {
				t.Errorf("whoever has a token sees %v: %s", err, said)
			}
			if out, err := p.command("/home/rocketmq/rocketmq/bin/nsctl", "config", "set", "orderMessageEnable=true", "--yes").CombinedOutput(); err != nil {
				t.Errorf("nsctl: %v: %s", err, out)
			}
		})
		text, err := os.ReadFile(filepath.Join(root, "home/rocketmq/config/namesrv.properties"))
		if err != nil || !strings.Contains(string(text), "\norderMessageEnable=true\n") {
			t.Errorf("a change is not kept: %v: %s", err, text)
		}
		if list, err := os.ReadDir(filepath.Join(root, "home/rocketmq/namesrv")); err != nil || len(list) == 0 {
			t.Errorf("it has kept nothing: %v", err)
		}
		if err := p.command("touch", "/home/rocketmq/rocketmq/bin/x").Run(); err == nil {
			t.Error("the root can be written")
		}
	}
}
