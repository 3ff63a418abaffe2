// Package live shows a run of nsbench while it runs: on a terminal as a few lines
// that are drawn over again and again, elsewhere as a line once in a while.
//
// What is shown is a pure function of a State. Only Screen and Plain write.
package live
