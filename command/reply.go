package command

import (
	"fmt"
	"strings"
)

// legacyColumns is how many columns at most the rows of servers older than 7 have: six up to Redis 5, seven in 6.
const legacyColumns = 7

// InfosFromReply reads a COMMAND reply as client libraries decode it: arrays and sets as []any, maps as map[any]any
// (RESP3), map[string]any or flat []any (RESP2), strings as string or []byte, integers as any integer type or as the
// float64 of encoding/json. Commands that are nil (COMMAND INFO of an unknown name) are left out. Columns and key
// specification types that are not known are passed over.
func InfosFromReply(reply any) ([]Info, error) {
	rows, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("command: COMMAND reply is %T, not an array", reply)
	}
	infos := make([]Info, 0, len(rows))
	for i, row := range rows {
		if row == nil {
			continue
		}
		info, err := infoFromReply(row)
		if err != nil {
			return nil, fmt.Errorf("command: row %d of COMMAND: %w", i, err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func infoFromReply(reply any) (Info, error) {
	columns, ok := reply.([]any)
	if !ok || len(columns) < 6 {
		return Info{}, fmt.Errorf("%T of %d columns, not at least 6", reply, len(columns))
	}
	info := Info{Name: strings.ToLower(text(columns[0])), Flags: texts(columns[2]), Legacy: len(columns) <= legacyColumns}
	if info.Name == "" {
		return Info{}, fmt.Errorf("name is %T", columns[0])
	}
	for i, field := range map[int]*int{1: &info.Arity, 3: &info.FirstKey, 4: &info.LastKey, 5: &info.Step} {
		if *field, ok = integer(columns[i]); !ok {
			return Info{}, fmt.Errorf("%s: column %d is %T, not an integer", info.Name, i, columns[i])
		}
	}
	if len(columns) > 6 {
		info.Categories = texts(columns[6])
	}
	if len(columns) > 7 {
		info.Tips = texts(columns[7])
	}
	if len(columns) > 8 {
		specs, _ := columns[8].([]any)
		for _, spec := range specs {
			info.KeySpecs = append(info.KeySpecs, keySpecFromReply(spec))
		}
	}
	if len(columns) > 9 {
		subs, _ := columns[9].([]any)
		for _, sub := range subs {
			subInfo, err := infoFromReply(sub)
			if err != nil {
				return Info{}, fmt.Errorf("%s: %w", info.Name, err)
			}
			info.Subs = append(info.Subs, subInfo)
		}
	}
	return info, nil
}

var keyFlagByName = map[string]KeyFlags{
	"not_key": KeyNotKey, "incomplete": KeyIncomplete, "variable_flags": KeyVariableFlags,
}

// keySpecFromReply never fails: what it does not understand is unknown, and the server will be asked for the keys.
func keySpecFromReply(reply any) KeySpec {
	var s KeySpec
	for _, name := range texts(field(reply, "flags")) {
		s.Flags |= keyFlagByName[strings.ToLower(name)]
	}
	begin, find := field(reply, "begin_search"), field(reply, "find_keys")
	number := func(of any, name string) int {
		n, _ := integer(field(field(of, "spec"), name))
		return n
	}
	switch text(field(begin, "type")) {
	case "index":
		s.Begin, s.Index = BeginIndex, number(begin, "index")
	case "keyword":
		s.Begin, s.StartFrom = BeginKeyword, number(begin, "startfrom")
		s.Keyword = strings.ToLower(text(field(field(begin, "spec"), "keyword")))
	}
	switch text(field(find, "type")) {
	case "range":
		s.Find, s.LastKey, s.Limit = FindRange, number(find, "lastkey"), number(find, "limit")
		s.KeyStep = number(find, "keystep")
	case "keynum":
		s.Find, s.KeyNumIdx, s.FirstKey = FindKeyNum, number(find, "keynumidx"), number(find, "firstkey")
		s.KeyStep = number(find, "keystep")
	}
	return s
}

// field is the value of name in a map of any of the shapes that InfosFromReply takes; nil if there is none.
func field(m any, name string) any {
	switch m := m.(type) {
	case map[string]any:
		return m[name]
	case map[any]any:
		return m[name]
	case []any:
		for i := 0; i+1 < len(m); i += 2 {
			if text(m[i]) == name {
				return m[i+1]
			}
		}
	}
	return nil
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func texts(v any) []string {
	elements, _ := v.([]any)
	if len(elements) == 0 {
		return nil
	}
	list := make([]string, len(elements))
	for i, element := range elements {
		list[i] = text(element)
	}
	return list
}

func integer(v any) (int, bool) {
	switch v := v.(type) {
	case int64:
		return int(v), true
	case int:
		return v, true
	case float64:
		return int(v), true
	}
	return 0, false
}
