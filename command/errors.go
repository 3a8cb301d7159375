package command

import (
	"bytes"
	"errors"
	"strings"
)

// ErrInvalid is AppendKeys' answer to arguments whose keys cannot be told because the server will refuse them (a bad
// numkeys, STREAMS with an odd list, MSET with a key and no value). The caller sends the request to any one node: the
// server finds the mistake before it looks at a key, and words the error.
var ErrInvalid = errors.New("command: keys not found in invalid arguments")

// ErrAskServer is AppendKeys' answer for a command whose declared keys are known to be incomplete, which is a
// module's. The caller asks a node with COMMAND GETKEYS.
var ErrAskServer = errors.New("command: keys are known to the server only")

// ErrorKind tells Lookup's errors apart.
type ErrorKind uint8

// What was wrong with a request that Lookup refused.
const (
	UnknownCommand ErrorKind = iota
	UnknownSubcommand
	WrongArity
)

// Error is why Lookup refused a request, for the client to read.
type Error struct {
	Kind ErrorKind
	text string
}

// Error is the text of Redis 7, with its code and without a leading '-': "ERR unknown command 'x', with args
// beginning with: ". It holds no line breaks, and may hold any other byte of the request.
func (e *Error) Error() string { return e.text }

// maxQuoted is how many bytes of a name, and of all arguments together, Redis repeats in an error.
const maxQuoted = 128

// lineBreaks are replaced as Redis does (commandCheckExistence in server.c): they would end the error on the wire.
var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

func unknownCommand(args [][]byte) *Error {
	var b strings.Builder
	b.WriteString("ERR unknown command '")
	b.Write(quotable(args[0], maxQuoted))
	b.WriteString("', with args beginning with: ")
	// The server's limit is on the list as written, quotes and blanks included, and the last argument may pass it.
	start := b.Len()
	for _, arg := range args[1:] {
		used := b.Len() - start
		if used >= maxQuoted {
			break
		}
		b.WriteByte('\'')
		b.Write(quotable(arg, maxQuoted-used))
		b.WriteString("' ")
	}
	return &Error{Kind: UnknownCommand, text: lineBreaks.Replace(b.String())}
}

func unknownSubcommand(args [][]byte) *Error {
	// The container's name is known, so upper case is a matter of ASCII.
	text := "ERR unknown subcommand '" + string(quotable(args[1], maxQuoted)) + "'. Try " +
		strings.ToUpper(string(args[0])) + " HELP."
	return &Error{Kind: UnknownSubcommand, text: lineBreaks.Replace(text)}
}

func wrongArity(name string) *Error {
	code := "ERR "
	if name == "exec" {
		// Whatever refuses EXEC discards the transaction, and says so even if there is none (rejectCommand in server.c).
		code = "EXECABORT Transaction discarded because of: "
	}
	return &Error{Kind: WrongArity, text: code + "wrong number of arguments for '" + name + "' command"}
}

// quotable is arg as the server's "%.*s" prints it: up to n bytes, and up to the first NUL.
func quotable(arg []byte, n int) []byte {
	if len(arg) > n {
		arg = arg[:n]
	}
	if i := bytes.IndexByte(arg, 0); i >= 0 {
		arg = arg[:i]
	}
	return arg
}
