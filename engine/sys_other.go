//go:build !linux

package engine

import "time"

// suspended returns 0: it is not known.
func suspended() time.Duration { return 0 }

// waiting returns 0: it is not known, so large frames are left to gnet to read.
func waiting(int) int { return 0 }

// readSocket is not called where nothing is waiting.
func readSocket(int, []byte) (int, error) { return 0, nil }

// setLowWater does nothing: a loop is woken for every byte.
func setLowWater(int, int) {}
