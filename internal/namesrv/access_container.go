package namesrv

import (
	"io/fs"
	"strings"
)

// containerSign returns what shows that the process runs in a container, "" if nothing
// does. root is the root of the file system. There loopback proves nothing: the drivers
// of rootless ports and the sidecars of meshes bring in strangers from it.
func containerSign(root fs.FS, getenv func(string) string) string {
	for _, file := range []string{".dockerenv", "run/.containerenv"} {
		if _, err := fs.Stat(root, file); err == nil {
			return "/" + file
		}
	}
	for _, name := range []string{"KUBERNETES_SERVICE_HOST", "container"} { // the second is set by systemd-nspawn, podman, LXC
		if getenv(name) != "" {
			return name
		}
	}
	groups, _ := fs.ReadFile(root, "proc/1/cgroup")
	for line := range strings.Lines(string(groups)) {
		for _, word := range []string{"/docker", "/kubepods", "/containerd", "/libpod", "/lxc", "/crio"} {
			if strings.Contains(line, word) {
				return "/proc/1/cgroup"
			}
		}
	}
	return ""
}
