package proxy

import (
	"slices"
	"strings"
)

// infoText is an INFO, taken apart.
type infoText []infoSection

type infoSection struct {
	name   string // as in the heading
	fields []infoField
}

type infoField struct{ name, value string }

// parseInfo takes the text of INFO apart. A line that is no field is left out.
func parseInfo(text string) infoText {
	var t infoText
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if title, ok := strings.CutPrefix(line, "# "); ok {
			t = append(t, infoSection{name: title})
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok && len(t) > 0 {
			last := &t[len(t)-1]
			last.fields = append(last.fields, infoField{name, value})
		}
	}
	return t
}

// String puts it together again, as Redis lays it out.
func (t infoText) String() string {
	var b strings.Builder
	for i, section := range t {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("# " + section.name + "\r\n")
		for _, f := range section.fields {
			b.WriteString(f.name + ":" + f.value + "\r\n")
		}
	}
	return b.String()
}

// section returns the section with this name in any case, nil if there is none.
func (t infoText) section(name string) *infoSection {
	i := slices.IndexFunc(t, func(s infoSection) bool { return strings.EqualFold(s.name, name) })
	if i < 0 {
		return nil
	}
	return &t[i]
}

// value returns the value of the first field with this name.
func (s *infoSection) value(name string) (value string, ok bool) {
	for _, f := range s.fields {
		if f.name == name {
			return f.value, true
		}
	}
	return "", false
}

// infoPair is one part of a value like "keys=5,expires=1".
type infoPair struct{ name, value string }

// splitPairs takes such a value apart; nil if it is none.
func splitPairs(value string) (pairs []infoPair) {
	for part := range strings.SplitSeq(value, ",") {
		name, text, ok := strings.Cut(part, "=")
		if !ok {
			return nil
		}
		pairs = append(pairs, infoPair{name, text})
	}
	return pairs
}

func joinPairs(pairs []infoPair) string {
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String()
}
