// Package arch has no code, only tests: they read the source of the whole module and enforce what ARCHITECTURE.md says of
// its rooms. rules_test.go is that page in a form a test can check, with the reason beside each rule; check_test.go
// compares source with it.
package arch
