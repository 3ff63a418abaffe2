// Package compare runs one scenario against several servers in turn, A B A B,
// and says how their figures relate.
//
// Each round starts every server anew, in the order given, and gives it the
// same bytes. A ratio is taken within a round, between runs that were
// neighbours in time, and its spread over the rounds is shown with it: on a
// machine that others use too, that says more than any single number.
package compare
