// Package export writes results in the forms of other tools: a log of HdrHistogram, CSV,
// and OpenMetrics text. It knows results and nothing of how they came to be.
package export
