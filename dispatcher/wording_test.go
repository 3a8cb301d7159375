package dispatcher

import (
	"strconv"
	"strings"
)

// raw is what a line of the transcript stands for: addresses for @names, and Go's escapes.
func (sc *scene) raw(text string) string {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(sc.addressed(text), `"`, `\"`) + `"`)
	if err != nil {
		sc.fatalf("%q: %v", text, err)
	}
	return text
}

// words splits a command into its arguments, of which some may be quoted.
func (sc *scene) words(text string) (args []string) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if text[0] != '"' {
			word, rest, _ := strings.Cut(text, " ")
			args, text = append(args, word), rest
			continue
		}
		word, err := strconv.QuotedPrefix(text)
		if err != nil {
			sc.fatalf("%q: %v", text, err)
		}
		text = text[len(word):]
		word, _ = strconv.Unquote(word)
		args = append(args, word)
	}
	return args
}

// line writes a command as words reads it.
func line(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if q := strconv.Quote(a); a == "" || strings.ContainsAny(a, " \"") || len(q) != len(a)+2 {
			words[i] = q
		}
	}
	return strings.Join(words, " ")
}

// quoted is text with Go's escapes, but no quotes.
func quoted(text string) string {
	q := strconv.Quote(text)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
