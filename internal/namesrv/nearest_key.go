package namesrv

import "strings"

// nearestKey returns the key that an unknown one was probably meant to be, ""
// if it is like none.
func nearestKey(name string) string {
	if key, ok := javaOptionKeys[name]; ok {
		return key // it is a system property in Java
	}
	nearest, least := "", max(2, min(len(name), 64)/4)+1
	for _, k := range configKeys {
		if d := len(k.name) - len(name); d >= least || -d >= least {
			continue // also what keeps long names cheap
		}
		if d := editDistance(strings.ToLower(k.name), strings.ToLower(name)); d < least {
			nearest, least = k.name, d
		}
	}
	return nearest
}

// editDistance returns how many bytes must be inserted, deleted, replaced or
// swapped with their neighbour to make b of a.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
