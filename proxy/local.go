package proxy

import (
	"bytes"
	"maps"
	"strconv"
	"strings"
	"time"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// handler answers a command that is the session's own.
type handler func(s *session, row *command.Row, cmd *resp.Command) verdict

// localCommands are the commands that no node is asked, by row name.
var localCommands map[string]handler

func init() { // a literal would be an initialization cycle
	localCommands = map[string]handler{
		"ping":   (*session).ping,
		"echo":   (*session).echo,
		"quit":   (*session).quit,
		"select": (*session).selectDB,
		"move":   (*session).move,
		"swapdb": (*session).swapDB,
		"time":   (*session).time,
		"auth":   (*session).auth,
		"hello":  (*session).hello,
		"reset":  (*session).reset,
		"info":   (*session).info,

		"monitor": (*session).monitor,

		"acl|log":   (*session).aclLog,
		"keys":      (*session).keys,
		"scan":      (*session).scan,
		"randomkey": (*session).randomKey,
	}
	for _, idea := range []map[string]handler{
		clusterCommands, slotCommands, operatorCommands, pubsubCommands, clientCommands, configCommands, slowCommands,
		transactionCommands,
	} {
		maps.Copy(localCommands, idea)
	}
	for name := range gatheredCommands {
		localCommands[name] = (*session).gather
	}
}

// say answers with what build appends to a reply in the session's protocol.
func (s *session) say(row *command.Row, reply []byte) verdict {
	if s.within != nil {
		s.within.reply = append(s.within.reply, reply...)
		return done
	}
	s.pipe.Local(row, reply)
	return done
}

var (
	replyOK   = []byte("+OK\r\n")
	replyPong = []byte("+PONG\r\n")
)

func (s *session) ok(row *command.Row) verdict { return s.say(row, replyOK) }

func (s *session) fail(row *command.Row, text string) verdict {
	return s.say(row, resp.AppendError(nil, text))
}

func (s *session) ping(row *command.Row, cmd *resp.Command) verdict {
	if n := len(cmd.Args); s.confined() && n <= 2 { // like a message
		told := resp.AppendBulkString(resp.AppendArrayHeader(nil, 2), "pong")
		return s.say(row, resp.AppendBulk(told, bytes.Join(cmd.Args[1:], nil)))
	}
	switch len(cmd.Args) {
	case 1:
		return s.say(row, replyPong)
	case 2:
		return s.say(row, resp.AppendBulk(nil, cmd.Args[1]))
	}
	return s.fail(row, "ERR wrong number of arguments for 'ping' command")
}

func (s *session) echo(row *command.Row, cmd *resp.Command) verdict {
	return s.say(row, resp.AppendBulk(nil, cmd.Args[1]))
}

func (s *session) quit(row *command.Row, _ *resp.Command) verdict {
	s.ok(row)
	return stop
}

func (s *session) time(row *command.Row, _ *resp.Command) verdict {
	now := time.Now()
	b := resp.AppendArrayHeader(nil, 2)
	b = resp.AppendBulkString(b, strconv.FormatInt(now.Unix(), 10))
	b = resp.AppendBulkString(b, strconv.Itoa(now.Nanosecond()/1000))
	return s.say(row, b)
}

// proto returns the protocol of the session's replies.
func (s *session) proto() resp.Proto { return s.profile.Proto }

// integer reads a number that is written in the one way that string2ll of
// Redis takes: no plus sign, no leading zeros.
func integer(arg []byte) (n int64, ok bool) {
	text := string(arg)
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == text
}

// is reports whether arg is word in any case.
func is(arg []byte, word string) bool {
	return len(arg) == len(word) && strings.EqualFold(string(arg), word)
}
