package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// NamesrvWithConsole is our own program at that path, with its console: an address for a
// browser, on a free port of the loopback.
func NamesrvWithConsole(path string) (spec Spec, console string, err error) {
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
		_, err = fmt.Fprintf(conf, "adminServerPort=%d\n", port) // of a key that is there twice the last one counts
		return argv, err
	}
	return spec, fmt.Sprintf("http://127.0.0.1:%d/", port), nil
}
