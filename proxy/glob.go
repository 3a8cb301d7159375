package proxy

// globMatch reports whether text matches a pattern of Redis, as stringmatchlen
// of its util.c does, which differs from other globs in what is odd: a '*' does not
// match an empty text, a bracket that is never closed ends with the pattern, a
// range may be written either way round, and in brackets an escaped letter stands
// for its own case only. With fold, letters match in either case.
func globMatch(pattern, text []byte, fold bool) bool {
	if len(text) == 0 {
		return len(pattern) == 0
	}
	p, t := 0, 0
	star, mark := -1, 0 // behind the last '*', and where in text it was tried last
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			p = skipStars(pattern, p)
			star, mark = p, t
			continue
		}
		if p < len(pattern) {
			if n, ok := globOne(pattern[p:], text[t], fold); ok {
				p += n
				t++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		p, t = star, mark
	}
	return skipStars(pattern, p) == len(pattern)
}

func skipStars(pattern []byte, p int) int {
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p
}

// globOne matches the first element of a pattern, which is no '*', with one
// byte, and returns the element's length.
func globOne(pattern []byte, c byte, fold bool) (n int, ok bool) {
	switch {
	case pattern[0] == '?':
		return 1, true
	case pattern[0] == '[':
		return globClass(pattern, c, fold)
	case pattern[0] == '\\' && len(pattern) > 1:
		return 2, sameByte(pattern[1], c, fold)
	}
	return 1, sameByte(pattern[0], c, fold)
}

// globClass is globOne for brackets.
func globClass(pattern []byte, c byte, fold bool) (n int, ok bool) {
	i := 1
	not := i < len(pattern) && pattern[i] == '^'
	if not {
		i++
	}
	for ; i < len(pattern) && pattern[i] != ']'; i++ {
		left := len(pattern) - i
		switch {
		case pattern[i] == '\\' && left >= 2:
			i++
			ok = ok || pattern[i] == c
		case left >= 3 && pattern[i+1] == '-':
			ok = ok || inRange(pattern[i], pattern[i+2], c, fold)
			i += 2
		default:
			ok = ok || sameByte(pattern[i], c, fold)
		}
	}
	return min(i+1, len(pattern)), ok != not
}

// inRange compares as C does where a char has a sign, which is on most machines.
func inRange(a, b, c byte, fold bool) bool {
	low, high := min(int8(a), int8(b)), max(int8(a), int8(b))
	if fold {
		low, high, c = int8(lower(byte(low))), int8(lower(byte(high))), lower(c)
	}
	return low <= int8(c) && int8(c) <= high
}

func sameByte(a, b byte, fold bool) bool {
	return a == b || fold && lower(a) == lower(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}
