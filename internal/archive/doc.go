// Package archive has nothing but a test of the archives that a release consists of: which
// files are in them, with which modes, and what the programs are. It reads them; those for
// another system than this one are not run.
package archive
