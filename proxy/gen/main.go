package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// main writes the page; an argument says where the root of the project is, seen
// from the working directory.
func main() {
	root := ".."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := os.WriteFile(filepath.Join(root, "docs", "commands.md"), page(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
