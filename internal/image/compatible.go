package main

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// rocketmq is the user and the group that the programs run as, as in the image of Java.
const rocketmq = 3000

const (
	home = "home/rocketmq"
	bin  = home + "/rocketmq/bin"
)

// javaReleases are those that there have been images of. The operator and charts go into
// a folder that is named after the release.
var javaReleases = []string{
	"4.4.0", "4.5.0", "4.5.1", "4.5.2", "4.6.0", "4.6.1", "4.7.0", "4.7.1", "4.8.0",
	"4.9.0", "4.9.1", "4.9.2", "4.9.3", "4.9.4", "4.9.5", "4.9.6", "4.9.7", "4.9.8",
	"5.0.0", "5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.2.0",
	"5.3.0", "5.3.1", "5.3.2", "5.3.3", "5.3.4", "5.4.0", "5.5.0",
}

// applets are the commands of busybox that have a name of their own: those that scripts
// of charts call, and those by which people look around.
var applets = []string{
	"[", "ash", "awk", "base64", "basename", "cat", "chmod", "chown", "clear", "cmp", "cp", "cut", "date", "dd", "df",
	"dirname", "du", "echo", "env", "expr", "false", "find", "free", "grep", "gunzip", "gzip", "head", "hostname", "id",
	"ip", "kill", "less", "ln", "ls", "md5sum", "mkdir", "mktemp", "more", "mv", "nc", "netstat", "nslookup",
	"pidof", "ping", "printf", "ps", "pwd", "readlink", "realpath", "rm", "rmdir", "sed", "seq", "sh",
	"sha256sum", "sleep", "sort", "stat", "tail", "tar", "tee", "telnet", "test", "time", "timeout", "top", "touch", "tr",
	"true", "uname", "uniq", "uptime", "vi", "watch", "wc", "wget", "which", "whoami", "xargs",
}

// gpl2 is the licence of busybox, which goes where busybox goes.
//
//go:embed GPL-2.txt
var gpl2 []byte

// compatible is the image that takes the place of Java's in the operator of RocketMQ and
// in charts. It has a shell, since they start "sh mqnamesrv", and no entry point, since they
// give the whole command.
func (r release) compatible(arch string) ([]layer, v1.Config, error) {
	shell, err := r.shell(arch)
	if err != nil {
		return nil, v1.Config{}, err
	}
	programs, err := r.programs(arch)
	if err != nil {
		return nil, v1.Config{}, err
	}
	return []layer{shell, programs}, v1.Config{
		User:         fmt.Sprintf("%d:%[1]d", rocketmq),
		WorkingDir:   "/" + bin,
		Cmd:          []string{"sh", "mqnamesrv"},
		ExposedPorts: map[string]struct{}{"9876/tcp": {}},
		Env: []string{
			"PATH=/" + bin + ":/usr/bin:/bin",
			"HOME=/" + home,
			"ROCKETMQ_HOME=/" + home + "/rocketmq",
		},
	}, nil
}

// shell is the layer that stays the same from release to release.
func (r release) shell(arch string) (layer, error) {
	l := layer{what: "Debian's busybox-static"}
	for _, dir := range []string{"bin", "etc", "home", "usr", "usr/bin", "usr/share", "usr/share/doc", "usr/share/doc/busybox"} {
		l.entries = append(l.entries, folder(dir, 0o755, 0))
	}
	l.entries = append(l.entries, folder("tmp", 0o1777, 0))
	busybox, err := files(filepath.Join(r.in, "busybox-"+arch), "usr/share/doc/busybox", 0o644)
	if err != nil {
		return l, err
	}
	for _, e := range busybox {
		if e.name == "usr/share/doc/busybox/busybox" {
			e.name, e.mode = "bin/busybox", 0o755
		}
		l.entries = append(l.entries, e)
	}
	for _, applet := range applets {
		l.entries = append(l.entries, link("bin/"+applet, "busybox"))
	}
	id := strconv.Itoa(rocketmq)
	l.entries = append(l.entries,
		file("usr/share/doc/busybox/GPL-2", 0o644, gpl2),
		file("bin/bash", 0o755, []byte("#!/bin/sh\nexec sh \"$@\"\n")),
		file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\nrocketmq:x:"+id+":"+id+"::/"+home+":/bin/sh\n")),
		file("etc/group", 0o644, []byte("root:x:0:\nrocketmq:x:"+id+":\n")),
	)
	return l, nil
}

// programs is the layer of the name server. Charts mount volumes at the folders that
// belong to the user; some at those of root.
func (r release) programs(arch string) (layer, error) {
	l := layer{what: "gonamesrv " + r.version}
	l.entries = append(l.entries,
		folder(home, 0o755, rocketmq),
		folder(home+"/config", 0o755, rocketmq),
		folder(home+"/logs", 0o755, rocketmq),
		folder(home+"/namesrv", 0o755, rocketmq),
		folder(home+"/store", 0o755, rocketmq),
		folder(home+"/rocketmq", 0o755, rocketmq),
		folder(home+"/rocketmq/conf", 0o755, rocketmq),
		folder(bin, 0o755, rocketmq),
		folder("root", 0o755, 0),
		folder("root/logs", 0o777, 0),
		folder("root/store", 0o777, 0),
		folder("usr/share/doc/gonamesrv", 0o755, 0),
		link(bin+"/mqadmin", "nsctl"),
	)
	for _, java := range javaReleases {
		l.entries = append(l.entries, link(home+"/rocketmq-"+java, "rocketmq"))
	}
	scripts, err := files(r.scripts, bin, 0o755)
	if err != nil {
		return l, err
	}
	licences, err := files(filepath.Join(r.in, "licences"), "usr/share/doc/gonamesrv", 0o644)
	if err != nil {
		return l, err
	}
	programs, err := r.binaries(arch, bin)
	if err != nil {
		return l, err
	}
	l.entries = append(append(append(l.entries, scripts...), licences...), programs...)
	return l, nil
}

// binaries are the programs that an image has: nsbench is none of them.
func (r release) binaries(arch, dir string) ([]entry, error) {
	all, err := files(filepath.Join(r.in, "linux-"+arch), dir, 0o755)
	if err != nil {
		return nil, err
	}
	var some []entry
	for _, e := range all {
		if e.name != dir+"/nsbench" {
			some = append(some, e)
		}
	}
	return some, nil
}
