package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckWritable: what cannot be kept is found out before the work, and what is no file is
// never replaced by one.
func TestCheckWritable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "r.json")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkWritable("", file, filepath.Join(dir, "new.json"), ""); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("it leaves %v behind, %v", entries, err)
	}
	for want, paths := range map[string][]string{
		"is a folder":       {dir},
		"is no file":        {os.DevNull},
		"no such file":      {filepath.Join(dir, "none", "r.json")},
		"two results":       {file, filepath.Join(dir, "x", "..", "r.json")},
		"not a directory":   {filepath.Join(file, "r.json")},
		"new/ is no file":   {filepath.Join(dir, "new") + "/"},
		"cannot be written": {filepath.Join(dir, "none", "r.json")},
	} {
		if err := checkWritable(paths...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", paths, err, want)
		}
	}
	if os.Getuid() == 0 {
		return // who may do anything
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := checkWritable(file); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("of a folder that may not be changed: %v", err)
	}
}
