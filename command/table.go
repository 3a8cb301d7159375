package command

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Table is a set of commands. It never changes and is safe for concurrent use. Make one with Builtin and Overlay.
type Table struct {
	byName map[string]*Row // commands and containers
	short  *shortNames     // the same, as far as their names are short
}

// Builtin is the table of the commands of Redis 7 and 8 and Valkey 8, the newest server's row for each. It is made
// at the first call and is the same one ever after.
func Builtin() *Table { return builtin() }

var builtin = sync.OnceValue(func() *Table {
	return (&Table{}).Overlay(builtinInfos)
})

// Overlay is a new table of t's rows with a server's laid over them. The server's row wins, but for these:
//
//   - a row with no request and response policy keeps t's, as servers have learned their tips over time;
//   - an old server's row (Info.Legacy) keeps what such a server cannot say: categories, flags, sub-commands, and the
//     keys if they are not at fixed places;
//   - what overrides.go knows better.
//
// Commands and sub-commands that the server lacks stay, with their arity not checked, so that they are forwarded and
// the server words the error. Call it on Builtin() each time, or what one server had outlives it. A nil or empty infos
// tells nothing and gives t.
func (t *Table) Overlay(infos []Info) *Table {
	if len(infos) == 0 {
		return t
	}
	byName := make(map[string]*Row, max(len(t.byName), len(infos)))
	for i := range infos {
		name := strings.ToLower(infos[i].Name)
		if name == "" || len(name) > maxNameBytes {
			continue
		}
		byName[name] = newRow(name, &infos[i], t.byName[name])
	}
	addAbsent(byName, t.byName, lacksCommand)
	return &Table{byName: byName, short: newShortNames(byName)}
}

// With is a new table of t's rows and of commands that no server has. They win over rows of their names.
func (t *Table) With(infos []Info) *Table {
	byName := maps.Clone(t.byName)
	for i := range infos {
		byName[infos[i].Name] = newRow(infos[i].Name, &infos[i], nil)
	}
	return &Table{byName: byName, short: newShortNames(byName)}
}

// addAbsent adds to rows, which a server sent, those of base that it did not.
func addAbsent(rows, base map[string]*Row, lacks lack) {
	for name, row := range base {
		if rows[name] == nil {
			rows[name] = row.asAbsent(lacks)
		}
	}
}

// asAbsent is the row for a table of a server that did not name the command.
func (r *Row) asAbsent(lacks lack) *Row {
	absent := *r
	absent.absent, absent.lacks = true, lacks
	if r.subs != nil {
		absent.openSubs = true
		absent.subs = make(map[string]*Row, len(r.subs))
		addAbsent(absent.subs, r.subs, lacks)
	}
	absent.derive()
	return &absent
}

// newRow makes the row of info. base is the same command's row in the table beneath, or nil.
func newRow(name string, info *Info, base *Row) *Row {
	if base == nil {
		base = &Row{}
	}
	r := &Row{
		Name: name, Arity: info.Arity, Flags: parseFlags(info.Flags), Categories: info.Categories, Tips: info.Tips,
		Keys: info.KeySpecs, FirstKey: info.FirstKey, LastKey: info.LastKey, Step: info.Step,
	}
	r.Request, r.Response = parsePolicies(r.Tips)
	if r.Request == RequestDefault && r.Response == ResponseDefault {
		r.Request, r.Response = base.Request, base.Response
	}
	if info.Legacy {
		r.fillLegacy(base)
	}
	if len(info.Subs) > 0 || base.subs != nil {
		r.subs = newSubs(name, info.Subs, base.subs)
		r.openSubs = len(info.Subs) == 0
	}
	if change := overrides[name]; change != nil {
		change(r)
	}
	r.derive()
	return r
}

// fillLegacy adds what a server older than 7 cannot say.
func (r *Row) fillLegacy(base *Row) {
	r.Flags |= base.Flags & sinceSeven
	if len(r.Categories) == 0 {
		r.Categories = base.Categories
	}
	r.Tips = base.Tips
	switch {
	case r.Flags.Has(FlagMovableKeys):
		r.Keys = base.Keys
	case r.FirstKey > 0:
		last := r.LastKey
		if last >= 0 {
			last -= r.FirstKey
		}
		r.Keys = []KeySpec{{Begin: BeginIndex, Index: r.FirstKey, Find: FindRange, LastKey: last, KeyStep: r.Step}}
	}
}

func newSubs(container string, infos []Info, base map[string]*Row) map[string]*Row {
	subs := make(map[string]*Row, max(len(infos), len(base)))
	for i := range infos {
		name := strings.ToLower(infos[i].Name)
		if _, after, ok := strings.Cut(name, "|"); ok {
			name = after
		}
		if name == "" || len(name) > maxNameBytes {
			continue
		}
		subs[name] = newRow(container+"|"+name, &infos[i], base[name])
	}
	lacks := lacksSub
	if len(infos) == 0 { // a server older than 7, which names none
		lacks = lacksNothing
	}
	addAbsent(subs, base, lacks)
	return subs
}

// Row finds a row by its Name ("get", "xinfo|stream"), in lower case; nil if there is none.
func (t *Table) Row(name string) *Row {
	container, sub, ok := strings.Cut(name, "|")
	row := t.byName[container]
	if ok && row != nil {
		return row.subs[sub]
	}
	return row
}

// Rows goes through all rows by name, each container before its sub-commands.
func (t *Table) Rows() iter.Seq[*Row] {
	return func(yield func(*Row) bool) {
		for _, name := range slices.Sorted(maps.Keys(t.byName)) {
			row := t.byName[name]
			if !yield(row) {
				return
			}
			for _, sub := range slices.Sorted(maps.Keys(row.subs)) {
				if !yield(row.subs[sub]) {
					return
				}
			}
		}
	}
}
