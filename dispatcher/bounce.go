package dispatcher

import (
	"bytes"
	"strconv"
	"strings"

	"redis-cluster-proxy/slots"
)

// bounce says why a part came back without an answer for its client.
type bounce uint8

const (
	bounceNone       bounce = iota // it has its answer
	bounceMoved                    // MOVED
	bounceAsk                      // ASK
	bounceTryAgain                 // TRYAGAIN
	bounceDown                     // CLUSTERDOWN, or a slot without a node
	bounceLoading                  // LOADING
	bounceMaster                   // MASTERDOWN
	bounceReadOnly                 // READONLY
	bounceLost                     // the connection
	bounceNoScript                 // an EVALSHA must be sent as EVAL, or the other way about
	bounceNoFunction               // the node may lack a library
	numBounces
)

var bounceNames = [numBounces]string{"none", "moved", "ask", "tryagain", "clusterdown", "loading", "masterdown", "readonly", "lost", "noscript", "nofunction"}

// errNotServed is Redis's text for a slot that no node serves.
const errNotServed = "CLUSTERDOWN Hash slot not served"

var bouncePrefixes = [numBounces][]byte{
	bounceMoved: []byte("-MOVED "), bounceAsk: []byte("-ASK "), bounceTryAgain: []byte("-TRYAGAIN "),
	bounceDown: []byte("-CLUSTERDOWN "), bounceLoading: []byte("-LOADING "),
	bounceMaster: []byte("-MASTERDOWN "), bounceReadOnly: []byte("-READONLY "),
}

// classify tells a node's error that the proxy acts on from one that is the
// client's.
func classify(reply []byte) bounce {
	for b := bounceMoved; b <= bounceReadOnly; b++ {
		if bytes.HasPrefix(reply, bouncePrefixes[b]) {
			return b
		}
	}
	return bounceNone
}

// parseRedirect reads "MOVED 3999 127.0.0.1:6381" or the same with ASK, sent
// by the node at from.
func parseRedirect(text, from string) (slot uint16, addr string, ok bool) {
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return 0, "", false
	}
	n, err := strconv.ParseUint(fields[1], 10, 16)
	if err != nil || n >= slots.NumSlots {
		return 0, "", false
	}
	addr, err = slots.ResolveAddr(fields[2], from)
	return uint16(n), addr, err == nil
}
