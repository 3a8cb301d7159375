package main

import (
	"bytes"
	"os"
	"testing"
)

// TestBuiltinRowsAreCurrent fails when data or this program changed and "go generate" was not run.
func TestBuiltinRowsAreCurrent(t *testing.T) {
	want, err := generate("../data")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../builtin_rows.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("builtin_rows.go is not what gen makes of data: run go generate ./command")
	}
}
