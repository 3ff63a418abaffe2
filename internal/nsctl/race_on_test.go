//go:build race

package nsctl

const raceEnabled = true
