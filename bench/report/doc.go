// Package report shows what a run or a comparison has to say: as tables for a
// terminal or a Markdown page, as a JSON file, and as one HTML page with
// charts that needs no network.
//
// The tables are the same everywhere; see tables.go. The charts are drawn in
// the browser by uPlot, whose release files are in the folder uplot and are
// written into each page. [Read] reads the JSON back, so that any page can be
// made again later.
package report
