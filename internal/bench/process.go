package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU times in /proc: USER_HZ, 100 per second on every architecture Go runs on (proc(5)).
const clockTick = 10 * time.Millisecond

// proc is where the kernel shows its processes.
const proc = "/proc"

// findProcesses returns the processes that listen at addr. There may be several: workers, or a parent and its children.
func findProcesses(addr string) ([]int, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q is not a port", port)
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return nil, err
	}
	sockets := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(filepath.Join(proc, "net", table))
		if errors.Is(err, os.ErrNotExist) {
			continue // no IPv6 here
		}
		if err != nil {
			return nil, err
		}
		for _, inode := range listeners(string(text), ips, uint16(n)) {
			sockets["socket:["+inode+"]"] = true
		}
	}
	pids := holders(sockets)
	if len(pids) == 0 {
		return nil, fmt.Errorf("no process of this machine that may be looked at listens at %s", addr)
	}
	return pids, nil
}

// listeners returns the inodes of the listening sockets in a table of /proc/net that get connections to one of the
// addresses.
func listeners(table string, ips []net.IP, port uint16) []string {
	const local, state, inode = 1, 3, 9
	const listening = "0A" // TCP_LISTEN
	var inodes []string
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) <= inode || f[state] != listening {
			continue
		}
		at, err := parseProcAddr(f[local])
		if err != nil || at.Port() != port {
			continue
		}
		if at.Addr().IsUnspecified() || slices.ContainsFunc(ips, func(ip net.IP) bool {
			a, ok := netip.AddrFromSlice(ip)
			return ok && a.Unmap() == at.Addr().Unmap()
		}) {
			inodes = append(inodes, f[inode])
		}
	}
	return inodes
}

// parseProcAddr parses an address of /proc/net: 32-bit words in the machine's byte order, which is taken to be
// little-endian, and a port, all in hexadecimal.
func parseProcAddr(text string) (netip.AddrPort, error) {
	addr, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(addr)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", text)
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", text)
	}
	return netip.AddrPortFrom(ip, uint16(n)), nil
}

// holders returns the processes that have one of the sockets open.
func holders(sockets map[string]bool) []int {
	var pids []int
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*")) // the pattern is right
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !sockets[to] {
			continue // it has ended, or is not ours to look at
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link))))
		if err == nil && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// cpuTime returns the user and system time that the processes have spent.
func cpuTime(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		stat, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
		if err != nil {
			return 0, err
		}
		d, err := parseStat(string(stat))
		if err != nil {
			return 0, fmt.Errorf("process %d: %w", pid, err)
		}
		sum += d
	}
	return sum, nil
}

// parseStat returns utime + stime, fields 14 and 15 of proc(5). The name, field 2, is in brackets and may contain anything.
func parseStat(stat string) (time.Duration, error) {
	const utime, stime = 14 - 3, 15 - 3 // counted from field 3, the first after the name
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) <= stime {
		return 0, fmt.Errorf("%q is not of /proc/PID/stat", stat)
	}
	user, err := strconv.ParseInt(f[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(f[stime], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

// memory returns the bytes of the processes that are in memory.
func memory(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		statm, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "statm"))
		if err != nil {
			return 0, err
		}
		const resident = 1
		f := strings.Fields(string(statm))
		if len(f) <= resident {
			return 0, fmt.Errorf("%q is not of /proc/PID/statm", statm)
		}
		pages, err := strconv.ParseInt(f[resident], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += pages * int64(os.Getpagesize())
	}
	return sum, nil
}
