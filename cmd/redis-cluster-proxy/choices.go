package main

import (
	"fmt"
	"strings"

	"redis-cluster-proxy/command"
)

// readPrefer says which nodes get read-only commands.
type readPrefer uint8

const (
	readPrimary    readPrefer = iota // the primary
	readReplica                      // a fit replica, else the primary
	readReplicaIDC                   // a fit replica in -idc, else any fit replica, else the primary
)

func (r readPrefer) String() string { return [...]string{"primary", "replica", "replica-idc"}[r] }

// parseReadPrefer knows the numbers and names that users of older proxies have in their scripts.
func parseReadPrefer(text string) (readPrefer, error) {
	switch strings.ToLower(text) {
	case "0", "primary", "master", "read_prefer_master":
		return readPrimary, nil
	case "1", "replica", "slave", "read_prefer_slave":
		return readReplica, nil
	case "2", "replica-idc", "slave-idc", "read_prefer_slave_idc":
		return readReplicaIDC, nil
	}
	return 0, fmt.Errorf("want master, slave or slave-idc (also 0, 1, 2, primary, replica, replica-idc, READ_PREFER_MASTER, READ_PREFER_SLAVE, READ_PREFER_SLAVE_IDC)")
}

// crossSlot says what happens to commands whose keys lie in several slots.
type crossSlot uint8

const (
	crossSlotSplit  crossSlot = iota // those that may be divided are, others get CROSSSLOT
	crossSlotReject                  // all get CROSSSLOT
	crossSlotAll                     // split, and MULTI and WATCH may span nodes
)

func (c crossSlot) String() string { return [...]string{"split", "reject", "all"}[c] }

func parseCrossSlot(text string) (crossSlot, error) {
	return choose(text, crossSlotSplit, crossSlotReject, crossSlotAll)
}

// retryWrites says which writes are sent again after their connection was lost with their result unknown.
type retryWrites uint8

const (
	retryWritesOff        retryWrites = iota // none
	retryWritesIdempotent                    // those that leave the same state when they run twice
)

func (r retryWrites) String() string { return [...]string{"off", "idempotent"}[r] }

func parseRetryWrites(text string) (retryWrites, error) {
	return choose(text, retryWritesOff, retryWritesIdempotent)
}

// onOff is a switch.
type onOff bool

func (o onOff) String() string {
	if o {
		return "on"
	}
	return "off"
}

func parseOnOff(text string) (onOff, error) { return choose(text, onOff(true), onOff(false)) }

// parseCommandNames parses a comma-separated list, perhaps empty, of the names of commands and sub-commands ("debug",
// "cluster|reset") and "all". A name that is not known must be a module's.
func parseCommandNames(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	return parseList(strings.ToLower(text), func(item string) (string, error) {
		container, _, _ := strings.Cut(item, "|")
		known := command.Builtin().Row(item) != nil || container == "debug" || item == "all"
		if !known && !strings.Contains(container, ".") {
			return "", fmt.Errorf("%q is not a command, nor a sub-command such as cluster|reset", item)
		}
		return item, nil
	})
}

// ioDriver says who waits for the sockets.
type ioDriver uint8

const (
	ioGoroutines ioDriver = iota // a goroutine for each connection
	ioPoller                     // a goroutine for each thread
)

func (d ioDriver) String() string { return [...]string{"goroutines", "poller"}[d] }

func parseIODriver(text string) (ioDriver, error) {
	return choose(text, ioGoroutines, ioPoller)
}

// choose returns the choice that text names, in any case.
func choose[T fmt.Stringer](text string, choices ...T) (T, error) {
	var names []string
	for _, c := range choices {
		if strings.EqualFold(text, c.String()) {
			return c, nil
		}
		names = append(names, c.String())
	}
	var none T
	return none, fmt.Errorf("want one of %s", strings.Join(names, ", "))
}
