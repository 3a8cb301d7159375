package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// settlePassword reads -password-file. It turns down -user without a password: the connections that ask for the topology
// would take that for no user at all, and succeed where those that carry commands fail.
func (o *options) settlePassword() error {
	if o.PasswordFile != "" {
		if o.Password != "" {
			return errors.New("-password and -password-file cannot both be given")
		}
		text, err := os.ReadFile(o.PasswordFile)
		if err != nil {
			return fmt.Errorf("-password-file: %w", err)
		}
		o.Password = strings.TrimRight(string(text), "\r\n") // which editors and echo add
		if o.Password == "" || strings.ContainsAny(o.Password, "\r\n") {
			return fmt.Errorf("-password-file: %s does not have one line", o.PasswordFile)
		}
	}
	if o.User != "" && o.Password == "" {
		return errors.New("-user needs -password or -password-file")
	}
	return nil
}
