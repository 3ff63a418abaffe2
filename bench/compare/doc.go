// Package compare runs one scenario against several servers in turn, A B B A,
// and says how their figures relate.
//
// Each round starts every server anew and gives it the same bytes, other ones in
// each round. A ratio is taken within a round, between runs that were neighbours
// in time. What is shown is the geometric mean of the rounds, with the interval in
// which it lies with 95 % confidence. Who is better is said only where that
// interval does not span 1, and after [MinRounds] rounds.
package compare
