package namesrv

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnwritable says at the start what cannot be written, and leaves nothing
// behind. Some of these tests run as root, who may write wherever there is a
// folder.
func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                           "",
		file:                         "",
		filepath.Join(dir, "new"):    "",
		filepath.Join(dir, "a/b/c"):  "",
		filepath.Join(dir, "link/x"): "",
		dir:                          "is a directory",
		filepath.Join(dir, "link"):   "is a directory",
		filepath.Join(file, "x"):     "not a directory",
		filepath.Join(file, "x/y/z"): "not a directory",
	} {
		if err := unwritable(path); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("the folder has %v, %v", left, err)
	}
	if os.Getuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		if err := unwritable(file); err == nil {
			t.Error("a folder that may not be written is not noticed")
		}
	}

	var log bytes.Buffer
	cfg := DefaultConfig()
	cfg.KVConfigPath, cfg.ConfigStorePath = "", filepath.Join(file, "x")
	if _, err := New(cfg, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	if want := `level=WARN msg="file cannot be written, changes will be refused" key=configStorePath path=` + cfg.ConfigStorePath; !strings.Contains(log.String(), want) || strings.Contains(log.String(), "key=kvConfigPath") {
		t.Errorf("no %s in\n%s", want, &log)
	}
}
