package pubsub

import "bytes"

var messageHeads = [NumKinds][]byte{
	Channel: []byte(">3\r\n$7\r\nmessage\r\n"),
	Pattern: []byte(">4\r\n$8\r\npmessage\r\n"),
	Shard:   []byte(">3\r\n$8\r\nsmessage\r\n"),
}

// messageOf returns what a push is a message of: a part of push, whose capacity
// reaches to its end. nil: it is no message.
func messageOf(push []byte) (kind Kind, name []byte) {
	for kind, head := range messageHeads {
		if bytes.HasPrefix(push, head) {
			return Kind(kind), bulkAt(push, len(head))
		}
	}
	return 0, nil
}

// bulkAt returns the content of the bulk string that begins at an index, nil if
// there is none.
func bulkAt(b []byte, at int) []byte {
	if at >= len(b) || b[at] != '$' {
		return nil
	}
	n, i := 0, at+1
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		n = n*10 + int(b[i]-'0')
	}
	i += len("\r\n")
	if i+n > len(b) {
		return nil
	}
	return b[i : i+n]
}

// bulkBehind returns the content of the bulk string that follows another.
func bulkBehind(b, content []byte) []byte {
	return bulkAt(b, cap(b)-cap(content)+len(content)+len("\r\n"))
}
