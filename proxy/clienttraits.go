package proxy

import (
	"net"
	"slices"
	"strings"
)

// clientTraits are what options of CLIENT LIST and CLIENT KILL say of clients. The
// zero value says nothing. The traits that came with Valkey 9 are those from name on.
type clientTraits struct {
	ids         []int64 // nil: any; the same of what is a pointer
	addr, laddr *string
	user        *string
	kind        string // "normal", "master", "replica" or "pubsub"

	name            *string
	libName, libVer *string
	ip              *string
	flags, capa     *string // letters, of which the client has all
	db              *int
}

// clientFlags are the letters of flags, and clientCapas those of what CLIENT CAPA
// tells, that CLIENT LIST and CLIENT KILL take.
const (
	clientFlags = "bcdeirtuxABEIMNOPRSTU"
	clientCapas = "r"
)

// fits reports whether the client has all the traits.
func (t *clientTraits) fits(s *session) bool {
	return !slices.Contains(t.verdicts(s), false)
}

// fitsAny reports whether the client has one of them.
func (t *clientTraits) fitsAny(s *session) bool {
	return slices.Contains(t.verdicts(s), true)
}

// verdicts judges the client by each trait that is said.
func (t *clientTraits) verdicts(s *session) (list []bool) {
	judge := func(said bool, fits func() bool) {
		if said {
			list = append(list, fits())
		}
	}
	// A name that was never given is none, not an empty one.
	given := func(want *string, have string) {
		judge(want != nil, func() bool { return have != "" && *want == have })
	}
	b := s.badgeNow()
	judge(t.ids != nil, func() bool { return slices.Contains(t.ids, int64(s.id)) })
	judge(t.kind != "", func() bool { return t.kind == b.kind() })
	judge(t.user != nil, func() bool { return *t.user == s.userName() })
	judge(t.addr != nil, func() bool { return *t.addr == s.outline().addr })
	judge(t.laddr != nil, func() bool { return *t.laddr == s.outline().laddr })
	given(t.name, b.name)
	given(t.libName, b.libName)
	given(t.libVer, b.libVer)
	judge(t.ip != nil, func() bool {
		host, _, err := net.SplitHostPort(s.outline().addr)
		return err == nil && host == *t.ip
	})
	judge(t.db != nil, func() bool { return s.portray().activity.Profile.DB == *t.db })
	judge(t.flags != nil, func() bool {
		p := s.portray()
		return hasLetters(p.flags(), *t.flags)
	})
	judge(t.capa != nil, func() bool { return hasLetters(b.capa(), *t.capa) })
	return list
}

// hasLetters reports whether all of want are in have.
func hasLetters(have, want string) bool {
	return !strings.ContainsFunc(want, func(letter rune) bool { return !strings.ContainsRune(have, letter) })
}
