package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// checkWritable finds out before the work, which may take hours, whether its results can be
// kept. Files are replaced as a whole, by a new one in their folder: what is no file must not
// be replaced, and two results cannot have one file. "" is no file.
func checkWritable(paths ...string) error {
	seen := map[string]bool{}
	for _, path := range paths {
		if path == "" {
			continue
		}
		whole, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if seen[whole] {
			return fmt.Errorf("%s: two results are to be written to this file", path)
		}
		seen[whole] = true
		switch info, err := os.Lstat(path); {
		case err == nil && info.IsDir():
			return fmt.Errorf("%s is a folder, and a file is to be written there", path)
		case err == nil && !info.Mode().IsRegular():
			return fmt.Errorf("%s is no file, and would be replaced by one", path)
		case err != nil && os.IsPathSeparator(path[len(path)-1]):
			return fmt.Errorf("%s is no file", path)
		}
		probe, err := os.CreateTemp(filepath.Dir(whole), ".nsbench-")
		if err != nil {
			return fmt.Errorf("%s cannot be written: %w", path, err)
		}
		_ = probe.Close() // nothing was written
		if err := os.Remove(probe.Name()); err != nil {
			return err
		}
	}
	return nil
}
