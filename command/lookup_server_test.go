package command_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"redis-cluster-proxy/command"
)

// checkRefusal compares the error of Lookup with that of the server. Only requests that Lookup refuses are sent: the
// others might do anything.
func checkRefusal(t *testing.T, s *server, table *command.Table, kind command.ErrorKind, args [][]byte) {
	t.Helper()
	row, err := table.Lookup(args)
	var refused *command.Error
	if !errors.As(err, &refused) {
		t.Errorf("Lookup %.300q: row %v, error %v", args, row, err)
		return
	}
	if refused.Kind != kind {
		t.Errorf("Lookup %.300q: error of kind %d, want %d", args, refused.Kind, kind)
	}
	s.send(args)
	if got := s.read(); refused.Error() != errorText(got) {
		t.Errorf("%.300q:\n Lookup %q\n server %q", args, refused, got)
	}
}

// errorText is the text of an error that the server replied; anything else is no error.
func errorText(reply any) string {
	if err, ok := reply.(error); ok {
		return err.Error()
	}
	return ""
}

func TestUnknownLikeTheServer(t *testing.T) {
	s := startServer(t)
	table, infos := serverTable(s)
	long := strings.Repeat("x", 200)
	for _, request := range [][]string{
		{"foo"}, {"FOO", "bar"}, {"foo", "a", "b", "c"}, {""}, {"", ""}, {"foo", ""}, {"foo", "", "", "a"},
		{long}, {long, long}, {long[:128]}, {long[:129]}, {long[:64]}, {long[:65]},
		{"foo", long[:122], "b", "c"}, {"foo", long[:124], "b"}, {"foo", long[:125], "b"}, {"foo", long[:126], "b"},
		{"foo", long[:127], "b"}, {"foo", long[:128], "b"}, {"foo", long[:129], "b"},
		{"foo", long[:60], long[:60], long[:60]}, {"foo", long[:120], long},
		{"foo\r\nbar", "a\nb", "\r"}, {"foo\x00bar", "a\x00b", "c"}, {"foo\x00", "k"}, {"\x00"},
		{"config|get", "x"}, {"fo'o", "b'a"}, {"\xff\xfe", "\x80"}, {"g\xc9t"},
	} {
		checkRefusal(t, s, table, command.UnknownCommand, argsOf(request...))
	}
	containers := 0
	for _, info := range infos {
		if len(info.Subs) == 0 {
			continue
		}
		containers++
		// No name with a NUL behind a real one: the server compares names as C strings, but only those that its hash, which is
		// seeded anew at each start, puts into one bucket.
		for _, sub := range []string{"nosuch", "NoSuch", "", "nosuch\x00", "a\r\nb", long, long[:128], info.Name, info.Subs[0].Name} {
			checkRefusal(t, s, table, command.UnknownSubcommand, argsOf(info.Name, sub))
			checkRefusal(t, s, table, command.UnknownSubcommand, argsOf(strings.ToUpper(info.Name), sub, "more"))
		}
	}
	if containers < 10 {
		t.Errorf("only %d containers", containers)
	}
}

func TestRandomUnknownLikeTheServer(t *testing.T) {
	s := startServer(t)
	table, _ := serverTable(s)
	random := rand.New(rand.NewPCG(1, 2))
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.IntN(256))
			if random.IntN(3) == 0 {
				b[i] = "\r\n\x00' x"[random.IntN(6)]
			}
		}
		return b
	}
	for range 3000 {
		args := [][]byte{append([]byte("!"), bytesOf(random.IntN(150))...)} // no command begins so
		for range random.IntN(6) {
			args = append(args, bytesOf(random.IntN(60)))
		}
		checkRefusal(t, s, table, command.UnknownCommand, args)
	}
}

// TestArityLikeTheServer sends every command and sub-command with every number of arguments that it does not take.
func TestArityLikeTheServer(t *testing.T) {
	s := startServer(t)
	table, infos := serverTable(s)
	tried := 0
	var all []command.Info
	for _, info := range infos {
		all = append(append(all, info), info.Subs...)
	}
	for _, info := range all {
		name, sub, _ := strings.Cut(info.Name, "|")
		args := argsOf(name)
		if sub != "" {
			args = append(args, bytes.ToUpper([]byte(sub)))
		}
		for len(args) < max(info.Arity, -info.Arity)+3 {
			fits := len(args) == info.Arity || (info.Arity < 0 && len(args) >= -info.Arity)
			if !fits && !(len(info.Subs) > 0 && len(args) > 1) {
				tried++
				checkRefusal(t, s, table, command.WrongArity, args)
			}
			args = append(args, []byte("1"))
		}
	}
	if tried < 800 {
		t.Errorf("only %d requests tried", tried)
	}
}

// TestBothProtocolsAgree reads the same COMMAND in RESP2, where key specifications are flat lists, and in RESP3.
func TestBothProtocolsAgree(t *testing.T) {
	s := startServer(t)
	_, two := serverTable(s)
	if err, ok := s.do("HELLO", "3").(error); ok {
		t.Fatal(err)
	}
	_, three := serverTable(s)
	order := func(infos []command.Info) map[string]command.Info {
		byName := map[string]command.Info{}
		for _, info := range flatten(infos) {
			slices.Sort(info.Flags)
			slices.Sort(info.Categories)
			byName[info.Name] = info
		}
		return byName
	}
	a, b := order(two), order(three)
	if len(a) != len(b) {
		t.Fatalf("%d rows in RESP2, %d in RESP3", len(a), len(b))
	}
	for name, info := range a {
		if !sameInfo(info, b[name]) {
			t.Errorf("%s:\n RESP2 %+v\n RESP3 %+v", name, info, b[name])
		}
	}
}

func sameInfo(a, b command.Info) bool {
	return a.Name == b.Name && a.Arity == b.Arity && a.Legacy == b.Legacy &&
		a.FirstKey == b.FirstKey && a.LastKey == b.LastKey && a.Step == b.Step &&
		slices.Equal(a.Flags, b.Flags) && slices.Equal(a.Categories, b.Categories) &&
		slices.Equal(a.Tips, b.Tips) && slices.Equal(a.KeySpecs, b.KeySpecs)
}
