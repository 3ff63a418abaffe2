//go:build !linux

package admin

func readProcess() processStats { return processStats{} }
