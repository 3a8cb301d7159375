// Program gen makes builtin_rows.go from the COMMAND replies in data. Run it with "go generate" in the directory of
// package command; with another directory as its argument it works there.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := write(dir); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	source, err := generate(filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "builtin_rows.go"), source, 0o644)
}
