package differ

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"redis-cluster-proxy/command"
)

// chooser says which of n things it shall be.
type chooser interface{ choose(n int) int }

// dice choose by chance.
type dice struct{ *rand.Rand }

func (d dice) choose(n int) int { return d.IntN(n) }

// tape chooses by the bytes of a fuzzer's input, and always the first thing when they are used up.
type tape struct{ bytes []byte }

func (t *tape) choose(n int) int {
	c := 0
	for size := 1; size < n && len(t.bytes) > 0; size <<= 8 {
		c, t.bytes = c<<8|int(t.bytes[0]), t.bytes[1:]
	}
	return c % n
}

// inventor makes up commands: mostly as COMMAND DOCS says they are written, some spoiled.
type inventor struct {
	chooser

	rows    []*command.Row
	grammar grammar
	tag     string // in front of all keys
	steady  bool   // nothing depends on the time or on chance

	counted int // where in the arguments the number of keys is; 0: there is none
	keys    int
}

// library is a function library with a function that writes and one that does not.
const library = "#!lua name=lib\nredis.register_function('f', function(keys, args) return redis.call('SET', keys[1], 'x') end)\n" +
	"redis.register_function{function_name='g', callback=function(keys, args) return {keys, args} end, flags={'no-writes'}}"

var (
	words    = []string{"a", "b", "c", "member", "field", "group", "consumer", "", "\x00\xff\r\n", "10", "3.5", "text", "with blank", "{t}", "OK"}
	numbers  = []string{"0", "1", "2", "3", "-1", "5", "10", "-2", "100", "1.5", "x", "", "9223372036854775807", "-9223372036854775808", "9223372036854775808", " 1", "+1", "007"}
	floats   = []string{"0", "1", "1.5", "-2.25", "3e2", "inf", "-inf", "nan", "x", "", "38.1", "13.3"}
	moments  = []string{"0", "4102444800", "4102444800123", "-1", "x", "1"}
	garbage  = []string{"nonsense", "", "\x00", "STORE", "LIMIT", "COUNT", "WITHSCORES", "0", "-1", "$", "*", ">", "(1", "[a", "+inf", "-", "+", "1-1", "GET", "BY", "STREAMS", "KEYS", strings.Repeat("y", 9000)}
	patterns = []string{"*", "k*", "k?", "[a-c]*", "{t}*", "", "nosuch*", "\\", "[", "*\x00*"}
	// What an argument of this name wants, where its type does not tell.
	byName = map[string][]string{
		"script":   {"return 1", "return {KEYS, ARGV}", "return redis.call('GET', KEYS[1])", "return redis.call('SET', KEYS[1], ARGV[1])", "return(", "return {1,2,{3}}", "return redis.pcall('LPUSH', KEYS[1], 'x')"},
		"sha1":     {"e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "nosuch"},
		"id":       {"0", "1-1", "2-1", "5-5", "$", "x", "1", ">", "*"},
		"start":    {"0", "0", "0", "1", "-2", "-", "(1", "[a", "1-1", "-inf"},
		"end":      {"-1", "-1", "-1", "2", "+", "(5", "[c", "5-5", "+inf"},
		"stop":     {"-1", "-1", "-1", "2", "+", "(5", "[c", "+inf"},
		"min":      {"0", "-inf", "(1", "-", "[a", "(a", "x"},
		"max":      {"5", "+inf", "(3", "+", "[c", "(c", "x"},
		"offset":   {"0", "1", "-1", "7", "#1", "100", "x"},
		"encoding": {"u8", "i5", "i64", "u63", "u64", "x"},
		"unit":     {"m", "km", "x"},
		"cursor":   {"0", "1", "x"},
		"group":    {"group", "group", "group", "nosuch"}, "groupname": {"group", "group", "group", "nosuch"},
		"consumer": {"consumer", "other", ""}, "consumername": {"consumer", "other", ""},
		"function": {"f", "f", "g", "nosuch"}, "library-name": {"lib", "nosuch"},
		"function-code": {library, library, "#!lua name=lib\nnosuch()", "nonsense"},
	}
	steadily = map[string][]string{
		"milliseconds": {"0", "-1", "x", "10000000"}, "seconds": {"0", "-1", "x", "100000"}, "ttl": {"0", "100000000"},
		"min-idle-time": {"0", "100000000"}, "ms": {"0", "100000000"}, "time": {"0", "100000000"},
	}
)

func (v *inventor) one(of []string) string { return of[v.choose(len(of))] }

func (v *inventor) key() string { return v.tag + "k" + strconv.Itoa(v.choose(5)) }

// command makes up one.
func (v *inventor) command() (row *command.Row, args []string) {
	row = v.rows[v.choose(len(v.rows))]
	args = strings.Split(row.Name, "|")
	v.counted, v.keys = 0, 0
	for i := range v.grammar[row.Name] {
		args = v.fill(args, &v.grammar[row.Name][i])
	}
	if v.counted > 0 && v.choose(8) > 0 {
		args[v.counted] = strconv.Itoa(v.keys)
	}
	for range v.choose(3) * v.choose(2) {
		args = v.spoil(args, len(strings.Split(row.Name, "|")))
	}
	v.pace(row, args)
	return row, args
}

// pace sees to it that a command that waits does not wait long.
func (v *inventor) pace(row *command.Row, args []string) {
	if row.Blocking(raw(args)) {
		if i, unit := row.TimeoutArg(raw(args)); i > 0 {
			short := "0.01"
			if unit == time.Millisecond {
				short = "5"
			}
			args[i] = []string{short, short, "x"}[v.choose(2)+v.choose(2)]
		}
	}
}

func raw(args []string) (b [][]byte) {
	for _, a := range args {
		b = append(b, []byte(a))
	}
	return b
}

// fill appends what stands for an argument.
func (v *inventor) fill(args []string, a *argument) []string {
	if a.optional && v.choose(3) > 0 {
		return args
	}
	times := 1
	if a.multiple {
		times += v.choose(3)
	}
	for i := range times {
		if a.token != "" && (i == 0 || a.everyToken) {
			args = append(args, a.token)
		}
		switch a.kind {
		case "pure-token":
		case "oneof":
			args = v.fill(args, &a.parts[v.choose(len(a.parts))])
		case "block":
			for j := range a.parts {
				args = v.fill(args, &a.parts[j])
			}
		default:
			args = append(args, v.value(a, len(args)))
		}
	}
	return args
}

// value is one argument, which will be at index at.
func (v *inventor) value(a *argument, at int) string {
	if a.name == "numkeys" {
		v.counted = at
	}
	if of := steadily[a.name]; of != nil && v.steady {
		return v.one(of)
	}
	if of := byName[a.name]; of != nil {
		return v.one(of)
	}
	switch a.kind {
	case "key":
		v.keys++
		return v.key()
	case "integer":
		return v.one(numbers)
	case "double":
		return v.one(floats)
	case "unix-time":
		return v.one(moments)
	case "pattern":
		return v.one(patterns)
	}
	return v.one(words)
}

// spoil makes the arguments behind the name wrong, perhaps.
func (v *inventor) spoil(args []string, name int) []string {
	if len(args) == name {
		return append(args, v.one(garbage))
	}
	i := name + v.choose(len(args)-name)
	switch v.choose(4) {
	case 0:
		return append(args[:i:i], args[i+1:]...)
	case 1:
		return append(args[:i:i], append([]string{v.one(garbage)}, args[i:]...)...)
	case 2:
		args[i] = v.one(numbers)
	case 3:
		args[i] = v.one(garbage)
	}
	return args
}
