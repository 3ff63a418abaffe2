package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// pinProcess keeps all threads of this process to some processors. What is
// started by unpinned has those that the process had before.
func pinProcess(cpus []int) (unpinned func(f func()), err error) {
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	for _, cpu := range cpus {
		if !before.IsSet(cpu) {
			return nil, fmt.Errorf("this process may not use processor %d", cpu)
		}
		set.Set(cpu)
	}
	if err := pinThreads(&set); err != nil {
		return nil, err
	}
	return func(f func()) {
		// A process has the processors of the thread that starts it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if unix.SchedSetaffinity(0, &before) == nil {
			defer unix.SchedSetaffinity(0, &set)
		}
		f()
	}, nil
}

// pinThreads pins all threads, and those that others have started meanwhile.
func pinThreads(set *unix.CPUSet) error {
	for all := false; !all; {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		all = true
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			var has unix.CPUSet
			if unix.SchedGetaffinity(tid, &has) != nil || has == *set {
				continue // it has ended, or is pinned
			}
			all = false
			if err := unix.SchedSetaffinity(tid, set); err != nil && err != unix.ESRCH {
				return os.NewSyscallError("sched_setaffinity", err)
			}
		}
	}
	return nil
}
