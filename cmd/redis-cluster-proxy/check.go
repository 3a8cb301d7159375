package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// checkTimeout bounds how long the answer may take. A proxy that is well gives it in a millisecond.
const checkTimeout = 3 * time.Second

// check asks the proxy whose operator's pages are at addr whether it is ready. If so its answer goes to out, else it is the
// error. A host that stands for all addresses is this machine.
func check(addr string, out io.Writer) error {
	client := http.Client{Timeout: checkTimeout, Transport: &http.Transport{}} // by no HTTP proxy of the environment
	defer client.CloseIdleConnections()
	reply, err := client.Get("http://" + addr + "/readyz")
	if err != nil {
		return fmt.Errorf("-check: %w", err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	switch {
	case err != nil:
		return fmt.Errorf("-check: %w", err)
	case reply.StatusCode != http.StatusOK:
		return errors.New(strings.TrimSpace(string(text)))
	}
	_, err = out.Write(text)
	return err
}
