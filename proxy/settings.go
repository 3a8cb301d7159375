package proxy

import (
	"math"
	"strconv"
	"strings"
	"time"

	"redis-cluster-proxy/resp"
)

// settings are what CONFIG SET can change of the proxy. A set of them never
// changes; another one takes its place.
type settings struct {
	maxClients int           // 0: any number
	idle       time.Duration // a client that asks nothing for longer is closed; 0: never
	maxBulk    int           // bytes
	output     outputLimits
	slowerThan int64 // microseconds from which a request is slow; -1: none is
	slowMax    int   // how many slow requests are remembered
}

// setting is one of the proxy's own by its name in redis.conf.
type setting struct {
	name string
	get  func(*Server, *settings) string
	set  func(st *settings, value string) (fault string) // nil: it cannot be changed
}

// ownSettings are the settings that are the proxy's and not its nodes', in the
// order in which CONFIG GET lists them.
var ownSettings = []setting{
	{"databases", func(s *Server, _ *settings) string { return strconv.Itoa(int(s.databases.Load())) }, nil},
	{"port", func(s *Server, _ *settings) string { return strconv.Itoa(s.port()) }, nil},
	{"tcp-keepalive", fixed("15"), nil}, // net.ListenConfig's
	{
		"maxclients",
		func(_ *Server, st *settings) string { return strconv.Itoa(st.maxClients) },
		func(st *settings, value string) string {
			if value == "0" { // unlike Redis: what -max-clients takes and CONFIG GET tells
				st.maxClients = 0
				return ""
			}
			return setInteger(value, 1, math.MaxUint32, func(n int64) { st.maxClients = int(n) })
		},
	},
	{
		"timeout",
		func(_ *Server, st *settings) string { return strconv.Itoa(int(st.idle / time.Second)) },
		func(st *settings, value string) string {
			return setInteger(value, 0, math.MaxInt32, func(n int64) { st.idle = time.Duration(n) * time.Second })
		},
	},
	{
		"proto-max-bulk-len",
		func(_ *Server, st *settings) string { return strconv.Itoa(st.maxBulk) },
		func(st *settings, value string) string {
			n, ok := memoryBytes(value)
			switch {
			case !ok:
				return "argument must be a memory value"
			case n < 1<<20:
				return outOfRange(1<<20, math.MaxInt64)
			}
			st.maxBulk = int(n)
			return ""
		},
	},
	{
		"client-output-buffer-limit",
		func(_ *Server, st *settings) string { return st.output.String() },
		func(st *settings, value string) string { return st.output.set(value) },
	},
	{
		"slowlog-log-slower-than",
		func(_ *Server, st *settings) string { return strconv.FormatInt(st.slowerThan, 10) },
		func(st *settings, value string) string {
			return setInteger(value, -1, math.MaxInt64, func(n int64) { st.slowerThan = n })
		},
	},
	{
		"slowlog-max-len",
		func(_ *Server, st *settings) string { return strconv.Itoa(st.slowMax) },
		func(st *settings, value string) string {
			return setInteger(value, 0, math.MaxInt64, func(n int64) { st.slowMax = int(n) })
		},
	},
}

// ownSetting returns the setting with this name in any case, nil if it is the
// nodes'.
func ownSetting(name []byte) *setting {
	for i := range ownSettings {
		if is(name, ownSettings[i].name) {
			return &ownSettings[i]
		}
	}
	return nil
}

func fixed(text string) func(*Server, *settings) string {
	return func(*Server, *settings) string { return text }
}

func setInteger(value string, low, high int64, set func(int64)) (fault string) {
	n, ok := integer([]byte(value))
	switch {
	case !ok:
		return "argument couldn't be parsed into an integer"
	case n < low || n > high:
		return outOfRange(low, high)
	}
	set(n)
	return ""
}

func outOfRange(low, high int64) string {
	return "argument must be between " + strconv.FormatInt(low, 10) + " and " + strconv.FormatInt(high, 10) + " inclusive"
}

// memoryUnits are the endings of a memory value, as memtoull of Redis has them.
var memoryUnits = map[string]int64{
	"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1000 * 1000, "mb": 1 << 20, "g": 1000 * 1000 * 1000, "gb": 1 << 30,
}

// memoryBytes reads a number of bytes like "100mb".
func memoryBytes(text string) (n int64, ok bool) {
	digits := strings.TrimRight(strings.ToLower(text), "bkmg")
	unit, known := memoryUnits[strings.ToLower(text[len(digits):])]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || n < 0 || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

// firstSettings are those that a Server begins with.
func (c *Config) firstSettings() *settings {
	st := &settings{
		maxClients: c.MaxClients, idle: c.IdleTimeout, maxBulk: c.MaxBulkBytes,
		slowerThan: c.SlowerThan.Microseconds(), slowMax: c.SlowLogLen,
	}
	st.output.normal.hard = int64(c.MaxOutputBytes)
	st.output.pubsub = outputLimit{hard: 32 << 20, soft: 8 << 20, grace: time.Minute} // Redis's
	if st.maxBulk == 0 {
		st.maxBulk = resp.MaxBulkBytes
	}
	switch {
	case c.SlowerThan < 0:
		st.slowerThan = -1
	case c.SlowerThan == 0:
		st.slowerThan = 10_000
	}
	switch {
	case c.SlowLogLen < 0:
		st.slowMax = 0
	case c.SlowLogLen == 0:
		st.slowMax = 128
	}
	return st
}

// change replaces the settings by what f makes of a copy, unless f finds a
// fault.
func (s *Server) change(f func(*settings) (fault string)) (fault string) {
	s.changing.Lock()
	defer s.changing.Unlock()
	next := *s.settings.Load()
	if fault := f(&next); fault != "" {
		return fault
	}
	s.adopt(&next)
	s.watchIdle()
	return ""
}

// adopt puts settings into force. Sessions take them with their next batch.
func (s *Server) adopt(st *settings) {
	s.settings.Store(st)
	s.d.Pool().SetSlow(time.Duration(st.slowerThan) * time.Microsecond)
	s.slow.resize(st.slowMax)
}
