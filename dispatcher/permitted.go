package dispatcher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"

	"redis-cluster-proxy/backend"
)

// prefixCrossSlot is how a node refuses keys of several slots.
var prefixCrossSlot = []byte("-CROSSSLOT ")

// permitted asks a node whether the user may do this to these keys, by sending it
// the command itself, which names keys of several slots: a node looks at the rights
// of the user first, and refuses such keys then. It returns the refusal, nil if there
// is none or no node can say.
func (e *Errand) permitted(ctx context.Context, args [][]byte, keys [][]byte) []byte {
	grant := GrantTo(e.profile.Value(), wordsOn(args[0], keys))
	if e.d.grants.Has(grant) {
		return nil
	}
	addr := e.Any()
	if addr == "" {
		return nil
	}
	reply, err := e.Ask(ctx, addr, args...)
	refused := (*backend.HandshakeError)(nil)
	switch {
	case errors.As(err, &refused):
		return errorBytes(err)
	case err != nil, classify(reply) != bounceNone:
		return nil
	case !bytes.HasPrefix(reply, prefixCrossSlot):
		return reply
	}
	e.d.grants.Add(grant, Lasting)
	return nil
}

// wordsOn names a command on these keys in a Grant, as a digest: there may be very
// many keys.
func wordsOn(command []byte, keys [][]byte) string {
	var b bytes.Buffer
	b.Write(bytes.ToLower(command))
	for _, key := range keys {
		b.WriteByte(0)
		b.Write(key)
	}
	sum := sha256.Sum256(b.Bytes())
	return string(sum[:])
}
