package scan

// matches reports whether a key matches a pattern of MATCH, exactly as
// stringmatchlen in Redis's util.c has it, its oddities with patterns that end in
// the middle among them.
func matches(pattern, key []byte) bool {
	ok, _ := match(pattern, key)
	return ok
}

// match is matches. hopeless says that a '*' before this pattern cannot help by
// taking more characters.
func match(pattern, key []byte) (ok, hopeless bool) {
	if len(key) == 0 {
		return len(pattern) == 0, false // also if the pattern is "**"
	}
	for len(pattern) > 0 && len(key) > 0 {
		switch pattern[0] {
		case '*':
			return matchStar(pattern, key)
		case '?':
			key = key[1:]
		case '[':
			in, n := inClass(pattern, key[0])
			if !in {
				return false, false
			}
			pattern, key = pattern[n:], key[1:]
		case '\\':
			if len(pattern) >= 2 {
				pattern = pattern[1:]
			}
			fallthrough
		default:
			if pattern[0] != key[0] {
				return false, false
			}
			key = key[1:]
		}
		pattern = pattern[1:]
	}
	for len(key) == 0 && len(pattern) > 0 && pattern[0] == '*' {
		pattern = pattern[1:]
	}
	return len(pattern) == 0 && len(key) == 0, false
}

// matchStar matches a pattern that begins with '*' with a key that is not empty.
func matchStar(pattern, key []byte) (ok, hopeless bool) {
	for len(pattern) > 0 && pattern[0] == '*' {
		pattern = pattern[1:]
	}
	if len(pattern) == 0 {
		return true, false
	}
	for ; len(key) > 0; key = key[1:] {
		if ok, hopeless = match(pattern, key); ok || hopeless {
			return ok, hopeless
		}
	}
	return false, true
}

// inClass reports whether c is in the class that pattern begins with, and
// returns the index of the class's last character.
func inClass(pattern []byte, c byte) (in bool, last int) {
	at := func(i int) byte { // a C string has a 0 at its end
		if i < len(pattern) {
			return pattern[i]
		}
		return 0
	}
	i := 1
	not := at(i) == '^'
	if not {
		i++
	}
	for ; ; i++ {
		switch left := len(pattern) - i; {
		case left >= 2 && pattern[i] == '\\':
			i++
			in = in || pattern[i] == c
		case at(i) == ']':
			return in != not, i
		case left <= 0:
			return in != not, len(pattern) - 1
		case left >= 3 && pattern[i+1] == '-':
			low, high := int8(pattern[i]), int8(pattern[i+2]) // as char is on most machines
			in = in || min(low, high) <= int8(c) && int8(c) <= max(low, high)
			i += 2
		default:
			in = in || pattern[i] == c
		}
	}
}
