// Package search finds the highest rate at which a server still keeps what is
// asked of it, such as p99 < 2ms.
//
// It doubles the rate until it does not hold, halves it until it holds, and
// then closes in between the two. Each step is a whole run of bench, with its own
// preload and warm-up, so that no step pays for the one before.
package search
