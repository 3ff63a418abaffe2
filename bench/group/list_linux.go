package group

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// tick is what /proc counts CPU time in: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// processes lists those that we can see, by their numbers.
func processes() []Process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var out []Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended since
		}
		if p, ok := parseStat(pid, text); ok {
			out = append(out, p)
		}
	}
	return out
}

// parseStat reads /proc/PID/stat, see proc(5): the name of the program is in
// parentheses and may hold anything, the rest are words.
func parseStat(pid int, text []byte) (Process, bool) {
	words := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(words) < 15 {
		return Process{}, false
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(string(words[i])) // the kernel writes numbers
		return n
	}
	cpu := func(i int) time.Duration { return time.Duration(number(i)) * tick }
	return Process{
		PID: pid, Parent: number(1), Group: number(2), Ended: words[0][0] == 'Z' || words[0][0] == 'X',
		User: cpu(11), System: cpu(12), ReapedUser: cpu(13), ReapedSystem: cpu(14),
	}, true
}
