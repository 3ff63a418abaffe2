package main

import (
	"fmt"
	"path/filepath"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// scratch is the image without a shell: who needs none has less to keep up to date.
func (r release) scratch(arch string) ([]layer, v1.Config, error) {
	id := strconv.Itoa(rocketmq)
	l := layer{what: "gonamesrv " + r.version, entries: []entry{
		folder("etc", 0o755, 0),
		folder("home", 0o755, 0),
		folder(home, 0o755, rocketmq),
		folder(home+"/config", 0o755, rocketmq),
		folder(home+"/logs", 0o755, rocketmq),
		folder(home+"/namesrv", 0o755, rocketmq),
		folder("licences", 0o755, 0),
		folder("tmp", 0o1777, 0),
		folder("usr", 0o755, 0),
		folder("usr/bin", 0o755, 0),
		file("etc/passwd", 0o644, []byte("rocketmq:x:"+id+":"+id+"::/"+home+":/sbin/nologin\n")),
		file("etc/group", 0o644, []byte("rocketmq:x:"+id+":\n")),
	}}
	programs, err := r.binaries(arch, "usr/bin")
	if err != nil {
		return nil, v1.Config{}, err
	}
	licences, err := files(filepath.Join(r.in, "licences"), "licences", 0o644)
	if err != nil {
		return nil, v1.Config{}, err
	}
	l.entries = append(append(l.entries, programs...), licences...)
	return []layer{l}, v1.Config{
		User:         fmt.Sprintf("%d:%[1]d", rocketmq),
		WorkingDir:   "/" + home,
		Entrypoint:   []string{"/usr/bin/namesrv"},
		ExposedPorts: map[string]struct{}{"9876/tcp": {}},
		Env:          []string{"PATH=/usr/bin", "HOME=/" + home},
	}, nil
}
