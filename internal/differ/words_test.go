package differ

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// word is an argument as a script has it. A bare word that begins with '$' and something behind it stands for something
// else:
//
//	${name}             what @save=name kept of an earlier reply
//	$repeat(text,n)     one argument: the text n times
//	$seq(text,from,to)  many arguments: text1 text2 ...; the text may be empty
//	$pairs(a,b,from,to) many arguments: a1 b1 a2 b2 ...; either may be empty
type word struct {
	text string // what it stands for, if name and series are empty
	name string // what was saved under this name

	series   []string // the texts of a $seq or $pairs
	from, to int
}

// appendTo appends the arguments that the word stands for.
func (w word) appendTo(args []string, saved map[string]string) ([]string, error) {
	switch {
	case w.name != "":
		text, ok := saved[w.name]
		if !ok {
			return nil, fmt.Errorf("nothing was saved as %q", w.name)
		}
		return append(args, text), nil
	case w.series != nil:
		for i := w.from; i <= w.to; i++ {
			for _, text := range w.series {
				args = append(args, text+strconv.Itoa(i))
			}
		}
		return args, nil
	}
	return append(args, w.text), nil
}

var (
	errQuotes    = errors.New("unbalanced quotes")
	errGenerator = errors.New("no such generator, or wrong arguments of it")
)

// splitWords splits a line as redis-cli does: quotes begin a word, double ones know \n \r \t \a \b \\ \" and \xHH, single
// ones only \'.
func splitWords(line string) (words []word, err error) {
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return words, nil
		}
		var w word
		switch line[0] {
		case '"':
			w.text, line, err = doubleQuoted(line[1:])
		case '\'':
			w.text, line, err = singleQuoted(line[1:])
		default:
			bare := line
			if i := strings.IndexAny(line, " \t"); i >= 0 {
				bare = line[:i]
			}
			line = line[len(bare):]
			w, err = bareWord(bare)
		}
		if err == nil && line != "" && line[0] != ' ' && line[0] != '\t' {
			err = errQuotes
		}
		if err != nil {
			return nil, err
		}
		words = append(words, w)
	}
}

var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'a': '\a', 'b': '\b'}

func doubleQuoted(line string) (text, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			return b.String(), line[i+1:], nil
		case c == '\\' && i+3 < len(line) && line[i+1] == 'x':
			n, err := strconv.ParseUint(line[i+2:i+4], 16, 8)
			if err != nil {
				return "", "", err
			}
			b.WriteByte(byte(n))
			i += 3
		case c == '\\' && i+1 < len(line):
			i++
			if e, ok := escapes[line[i]]; ok {
				b.WriteByte(e)
			} else {
				b.WriteByte(line[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errQuotes
}

func singleQuoted(line string) (text, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\'':
			return b.String(), line[i+1:], nil
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == '\'':
			i++
			b.WriteByte('\'')
		default:
			b.WriteByte(line[i])
		}
	}
	return "", "", errQuotes
}

func bareWord(bare string) (word, error) {
	if len(bare) < 2 || bare[0] != '$' {
		return word{text: bare}, nil
	}
	if name, ok := strings.CutPrefix(bare, "${"); ok && strings.HasSuffix(name, "}") {
		return word{name: strings.TrimSuffix(name, "}")}, nil
	}
	name, list, ok := strings.Cut(bare[1:], "(")
	list, closed := strings.CutSuffix(list, ")")
	if !ok || !closed {
		return word{}, errGenerator
	}
	w, texts := word{}, strings.Split(list, ",")
	var last, before int
	var err error
	if last, err = strconv.Atoi(texts[len(texts)-1]); err != nil {
		return word{}, errGenerator
	}
	switch {
	case name == "repeat" && len(texts) == 2:
		w.text = strings.Repeat(texts[0], last)
		return w, nil
	case name == "seq" && len(texts) == 3, name == "pairs" && len(texts) == 4:
		before, err = strconv.Atoi(texts[len(texts)-2])
		w.series, w.from, w.to = texts[:len(texts)-2], before, last
		return w, err
	}
	return word{}, errGenerator
}
