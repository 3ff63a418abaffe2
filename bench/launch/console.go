package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// NamesrvWithConsole is our own program at that path, with its console: an address for a
// browser, on a free port of the loopback. more are lines of its configuration, key=value.
func NamesrvWithConsole(path string, more ...string) (spec Spec, console string, err error) {
	spec, err = Namesrv(path)
	if err != nil {
		return Spec{}, "", err
	}
	port, err := freePort()
	if err != nil {
		return Spec{}, "", err
	}
	prepare := spec.prepare
	spec.prepare = func(ctx context.Context, dir string, listenPort int) ([]string, error) {
		argv, err := prepare(ctx, dir, listenPort)
		if err != nil {
			return nil, err
		}
		conf, err := os.OpenFile(filepath.Join(dir, confFile), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, err
		}
		defer conf.Close()
		// Of a key that is there twice the last one counts.
		_, err = fmt.Fprintf(conf, "adminServerPort=%d\n%s\n", port, strings.Join(more, "\n"))
		return argv, err
	}
	return spec, fmt.Sprintf("http://127.0.0.1:%d/", port), nil
}
