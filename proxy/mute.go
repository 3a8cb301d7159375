package proxy

import "redis-cluster-proxy/dispatcher"

// muting is what CLIENT REPLY set: which commands get no reply.
type muting struct {
	off      bool // none of them
	skipNext bool // not the next one
	skipping bool // not this one
	repeated bool // the next one was begun before
}

// now reports whether the command at hand has no reply.
func (m *muting) now() bool { return m.off || m.skipping }

// next begins a command.
func (m *muting) next(p *dispatcher.Pipeline) {
	if *m == (muting{}) {
		return
	}
	if m.repeated {
		m.repeated = false
		return
	}
	m.skipping, m.skipNext = m.skipNext, false
	p.SetSilent(m.now())
}

// again says that the command will be begun once more.
func (m *muting) again() { m.repeated = true }
