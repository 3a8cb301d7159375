package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for text, want := range map[string]string{ // want "": it is turned down
		"secret":           "secret",
		"secret\n":         "secret",
		"secret\r\n":       "secret",
		" with spaces \n":  " with spaces ",
		"":                 "",
		"\n":               "",
		"one\nand another": "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := parse([]string{"-user", "alice", "-password-file", path}, io.Discard)
		switch {
		case want == "" && (err == nil || !strings.Contains(err.Error(), "-password-file")):
			t.Errorf("%q: %v, want an error that names the flag", text, err)
		case want != "" && (err != nil || o.Password != want):
			t.Errorf("%q: password %q, %v, want %q", text, o.Password, err, want)
		}
	}
}
