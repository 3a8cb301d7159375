package pubsub

import "strings"

// eventPrefixes are what the names of channels begin with in which each node
// tells of its own keys, and of no other node's.
var eventPrefixes = [...]string{"__keyspace@", "__keyevent@"}

// isEvent reports whether a channel is one of those.
func isEvent[T string | []byte](channel T) bool {
	if len(channel) == 0 || channel[0] != '_' {
		return false
	}
	for _, p := range eventPrefixes {
		if len(channel) >= len(p) && string(channel[:len(p)]) == p {
			return true
		}
	}
	return false
}

// hasEvents reports whether a channel is one of those, or a pattern may match
// one.
func hasEvents(kind Kind, name string) bool {
	switch kind {
	case Channel:
		return isEvent(name)
	case Pattern:
		for _, p := range eventPrefixes {
			if mayMatch(name, p) {
				return true
			}
		}
	}
	return false
}

// mayMatch reports whether a pattern may match a text that begins with prefix.
// It may say so of one that does not, which costs subscriptions and no more.
func mayMatch(pattern, prefix string) bool {
	for len(prefix) > 0 {
		if pattern == "" {
			return false
		}
		n := 1
		switch pattern[0] {
		case '*':
			return true
		case '?':
		case '[':
			end := strings.IndexByte(pattern[1:], ']')
			if end < 0 {
				return true // odd; let the nodes judge
			}
			if class := pattern[1 : 1+end]; !mayBeIn(class, prefix[0]) {
				return false
			}
			if strings.IndexByte(pattern[1:1+end], '\\') >= 0 {
				return true // the bracket may be an escaped one
			}
			n = end + 2
		case '\\':
			if len(pattern) > 1 {
				pattern = pattern[1:]
			}
			fallthrough
		default:
			if pattern[0] != prefix[0] {
				return false
			}
		}
		pattern, prefix = pattern[n:], prefix[1:]
	}
	return true
}

// mayBeIn reports whether a bracket's content may match c. Negations, ranges and
// escapes are taken to.
func mayBeIn(class string, c byte) bool {
	return strings.IndexByte(class, c) >= 0 || strings.ContainsAny(class, `^-\`)
}
