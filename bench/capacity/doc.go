// Package capacity finds out what one server carries: it starts our server anew for each
// size of a grid, lets so many brokers register so many topics, and notes memory and CPU
// time. Those hold on a busy machine too, as latencies do not.
//
// [Measure] measures, [Report.Formulas] says what follows for other sizes, and Charts and
// Markdown show it. The load is that of package bench, whose brokers a [bench.Registrar]
// plays.
package capacity
