package command

import "slices"

// Row is what is known of one command or sub-command. Rows are shared and never change; do not write to them.
type Row struct {
	Name       string // in lower case; "xinfo|stream" for a sub-command
	Arity      int    // of arguments, the name included; negative: at least that many
	Flags      Flags
	Categories []string // ACL categories, each with its '@'
	Tips       []string // as the server sent them
	Keys       []KeySpec

	FirstKey, LastKey, Step int // the old columns, for COMMAND's sake; AppendKeys does not use them

	Request  RequestPolicy
	Response ResponsePolicy
	Family   Family

	// KeyArg is the index of the key if requests of this row have exactly one and always at this place, else 0. The
	// arity guarantees that the argument is there. This is the hot path: AppendKeys need not be asked.
	KeyArg int

	finder       keyFinder       // finds the keys instead of Keys, if not nil
	askServer    bool            // Keys are not all of them
	optionalKeys bool            // no key at all is not a mistake
	split        Split           // what Split answers; no Step: no
	subs         map[string]*Row // by the name behind the '|'; nil unless this is a container
	openSubs     bool            // there may be more than subs: the server did not name its own
	absent       bool            // the server did not name this command: only it can judge the arguments
	lacks        lack            // what the server is known to lack
}

// Is reports whether the row's Name is name, which is in lower case.
func (r *Row) Is(name string) bool { return r.Name == name }

// ReadOnly reports whether requests of this row change no key and may go to a replica.
func (r *Row) ReadOnly() bool { return r.Flags.Has(FlagReadonly) }

// Write reports whether requests of this row may change keys. A script run by EVAL may, without being flagged; see
// FlagNoMandatoryKeys and MayWrite.
func (r *Row) Write() bool { return r.Flags.Has(FlagWrite) }

// MayWrite is Write, and true for EVAL, EVALSHA and FCALL as well, whose scripts decide.
func (r *Row) MayWrite() bool {
	return r.Write() || (r.Flags.Has(FlagNoMandatoryKeys) && !r.ReadOnly())
}

// IsContainer reports whether the row has sub-commands. Lookup returns such a row only when no sub-command was given,
// and the arity allows that for COMMAND alone.
func (r *Row) IsContainer() bool { return r.subs != nil }

// lack is what a server does not have of a command.
type lack uint8

const (
	lacksNothing lack = iota // or it is not known
	lacksCommand
	lacksSub // it has the container
)

// Unknown is the error with which the server will answer a request of this row, as it has no such command; nil if it has,
// or may have. A caller that would answer such a request on his own can leave it to the server so.
func (r *Row) Unknown(args [][]byte) error {
	switch {
	case r.lacks == lacksCommand:
		return unknownCommand(args)
	case r.lacks == lacksSub:
		return unknownSubcommand(args)
	}
	return nil
}

// HasKeys reports whether requests of this row may have keys, or channels that route like keys.
func (r *Row) HasKeys() bool { return len(r.Keys) > 0 || r.finder != nil || r.askServer }

// ArityOK reports whether a request may have n arguments, its name included. It is true for a command of the built-in
// table that the server under it did not name.
func (r *Row) ArityOK(n int) bool {
	if r.absent {
		return true
	}
	if r.Arity >= 0 {
		return n == r.Arity
	}
	return n >= -r.Arity
}

// Split is how a request is sent in parts, each made of the command's name and some of the groups of arguments that
// begin with a key.
type Split struct {
	Step    int  // arguments of a group: 1 for MGET, 2 for MSET
	Counted bool // the number of groups stands in front of them, and what is behind them is about all: MSETEX
}

// Head returns how many arguments stand in front of the groups, the name included.
func (s Split) Head() int {
	if s.Counted {
		return 2
	}
	return 1
}

// Split reports whether requests whose keys are in several slots may be sent in parts; see Divides. If they are not
// Counted all arguments behind the name belong to groups (MSET with half a group is ErrInvalid to AppendKeys). Not so
// MSETNX, which is one transaction.
func (r *Row) Split() (s Split, ok bool) { return r.split, r.split.Step != 0 }

// Divides reports whether Split holds for this request, of which AppendKeys found keys, one at least. It does not if a
// condition (NX, XX) makes it one transaction, or if the last group lacks something.
func (r *Row) Divides(args [][]byte, keys []int) bool {
	if !r.split.Counted {
		return r.split.Step != 0
	}
	end := keys[len(keys)-1] + r.split.Step
	return end <= len(args) && !slices.ContainsFunc(args[end:], func(arg []byte) bool {
		return equalFold(arg, "nx") || equalFold(arg, "xx")
	})
}

// AppendKeys appends to dst the indexes of the arguments that are keys, in ascending order and each once, and returns
// the longer slice. Channels of sharded Pub/Sub route like keys and are found too (KeyNotKey). args must have passed
// Lookup, which found this row. It allocates only to make dst longer.
//
// On an error, ErrInvalid or ErrAskServer, dst is returned as it was. No error and no key is a request that has none.
func (r *Row) AppendKeys(dst []int, args [][]byte) ([]int, error) {
	if r.KeyArg != 0 {
		if r.KeyArg >= len(args) {
			return dst, ErrInvalid
		}
		return append(dst, r.KeyArg), nil
	}
	if r.finder != nil {
		return r.finder(dst, args)
	}
	if r.askServer {
		return dst, ErrAskServer
	}
	if len(r.Keys) == 0 {
		return dst, nil
	}
	old := len(dst)
	for i := range r.Keys {
		before := len(dst)
		var err error
		dst, err = r.Keys[i].appendKeys(dst, args)
		// Only EVAL and its like take 0 for a number of keys.
		if err == nil && len(dst) == before && r.Keys[i].Find == FindKeyNum && !r.optionalKeys {
			err = ErrInvalid
		}
		if err != nil {
			return dst[:old], err
		}
	}
	if len(dst) == old && !r.optionalKeys {
		return dst, ErrInvalid
	}
	return dst[:old+len(inOrder(dst[old:]))], nil
}

// inOrder sorts keys and drops doubles, in place. They hardly ever need it: only two specs that overlap make it so.
func inOrder(keys []int) []int {
	for i := 1; i < len(keys); i++ {
		if keys[i] <= keys[i-1] {
			slices.Sort(keys)
			return slices.Compact(keys)
		}
	}
	return keys
}

// derive fills the fields that follow from the others.
func (r *Row) derive() {
	r.Family = familyOf(r.Name, r.Flags, r.Categories)
	r.finder = keyFinders[r.Name]
	r.optionalKeys = r.Flags.Has(FlagNoMandatoryKeys)
	r.askServer = r.finder == nil && r.keysUncertain()
	notKeys := 0
	for i := range r.Keys {
		if r.Keys[i].Flags&KeyNotKey != 0 {
			notKeys++
		}
	}
	if notKeys == len(r.Keys) {
		r.optionalKeys = true // SUNSUBSCRIBE from all
	}
	r.KeyArg, r.split = 0, Split{}
	if r.absent {
		return // KeyArg promises an argument; parts could not be told from a request the server would refuse
	}
	switch r.Name {
	case "sort_ro":
		r.KeyArg = 1
	case "move":
		return // it is about databases: the node of the key cannot answer it
	}
	if r.finder != nil || r.askServer || len(r.Keys) != 1 {
		return
	}
	spec := &r.Keys[0]
	if spec.Begin != BeginIndex || spec.KeyStep < 1 {
		return
	}
	if spec.Find == FindKeyNum {
		// Any part's reply has to do for the whole: no other way to merge them is known of such a command.
		if r.Request == RequestMultiShard && r.Response == AllSucceeded && spec.Index == 1 && spec.KeyNumIdx == 0 && spec.FirstKey == 1 {
			r.split = Split{Step: spec.KeyStep, Counted: true}
		}
		return
	}
	if spec.Find != FindRange {
		return
	}
	if spec.LastKey == 0 && spec.Index > 0 && max(r.Arity, -r.Arity) > spec.Index {
		r.KeyArg = spec.Index
	}
	if r.Request == RequestMultiShard && spec.Index == 1 && spec.LastKey == -1 && spec.Limit <= 1 {
		r.split = Split{Step: spec.KeyStep}
	}
}

// keysUncertain reports whether only the server can find all keys. A module's command that finds its keys by code
// (RM_CreateCommand with getkeys-api) is flagged movablekeys, and the server makes a spec for it from the old columns,
// which it marks variable_flags.
func (r *Row) keysUncertain() bool {
	movable := r.Flags.Has(FlagMovableKeys)
	if len(r.Keys) == 0 {
		return movable
	}
	for i := range r.Keys {
		spec := &r.Keys[i]
		if !spec.complete() {
			return true
		}
		if movable && r.Flags.Has(FlagModule) && spec.Flags&KeyVariableFlags != 0 {
			return true
		}
	}
	return false
}
