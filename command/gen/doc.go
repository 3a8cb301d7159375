// Command gen writes builtin_rows.go from the COMMAND replies in ../data.
//
// Run it with "go generate ./command" after a change of the data; a test of
// package command fails if the rows are stale.
package main
