//go:build !unix

package main

// enoughFiles knows of no limit here.
func enoughFiles(int) error { return nil }
