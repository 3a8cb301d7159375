package dispatcher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"

	"redis-cluster-proxy/backend"
)

// permissions remembers which users were not refused which commands on which
// keys, so that not every wait begins with a question. What is done in the end is
// done as the user, and the nodes decide about it. The zero value is ready.
type permissions struct {
	mu sync.Mutex
	// Guarded by mu.
	given map[permission]struct{}
}

// maxPermissions bounds what is remembered; past it all is forgotten.
const maxPermissions = 4096

func (p *permissions) has(name permission) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.given[name]
	return ok
}

func (p *permissions) add(name permission) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.given == nil || len(p.given) >= maxPermissions {
		p.given = make(map[permission]struct{})
	}
	p.given[name] = struct{}{}
}

// prefixCrossSlot is how a node refuses keys of several slots.
var prefixCrossSlot = []byte("-CROSSSLOT ")

// permitted asks a node whether the user may do this to these keys, by sending it
// the command itself, which names keys of several slots: a node looks at the rights
// of the user first, and refuses such keys then. It returns the refusal, nil if there
// is none or no node can say.
func (e *Errand) permitted(ctx context.Context, args [][]byte, keys [][]byte) []byte {
	name := permissionOf(e.profile.Value(), args[0], keys)
	if e.d.permissions.has(name) {
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
	e.d.permissions.add(name)
	return nil
}

// permission is a digest of a user, a command and keys.
type permission [sha256.Size]byte

func permissionOf(p backend.Profile, command []byte, keys [][]byte) permission {
	var b bytes.Buffer
	for _, word := range []string{p.User, p.Password, strings.ToLower(string(command))} {
		b.WriteString(word)
		b.WriteByte(0)
	}
	for _, key := range keys {
		b.Write(key)
		b.WriteByte(0)
	}
	return sha256.Sum256(b.Bytes())
}
