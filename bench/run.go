package bench

import (
	"context"
	"errors"
)

// ErrWrong is what Run fails with, among more words, when the server answered
// wrongly or failed where the scenario does not expect it.
var ErrWrong = errors.New("bench: the server's replies are not right")

// Run runs one scenario. progress may be nil. It fails with ErrWrong together
// with a whole Result; with any other error the Result is nil.
func Run(ctx context.Context, sc Scenario, opt Options, progress func(Progress)) (*Result, error) {
	return nil, errors.New("bench: not implemented")
}
