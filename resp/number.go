package resp

import "strconv"

// shortLength reads the plain form of a length: up to nine digits from b[i]
// on, a CR and one byte more, which is not looked at. next is the index behind
// that byte. next is 0 for everything else, be it wrong, incomplete or merely
// unusual: the caller then takes its slow path, which knows the difference.
func shortLength(b []byte, i int) (v, next int) {
	if i+2 >= len(b) {
		return 0, 0
	}
	v = int(b[i]) - '0'
	if uint(v) > 9 {
		return 0, 0
	}
	if b[i+1] == '\r' {
		return v, i + 3
	}
	if v == 0 {
		return 0, 0 // a leading zero, which Redis refuses
	}
	end := min(len(b)-1, i+10)
	for j := i + 1; j < end; j++ {
		c := uint(b[j]) - '0'
		if c > 9 {
			if b[j] == '\r' {
				return v, j + 2
			}
			return 0, 0
		}
		v = v*10 + int(c)
	}
	return 0, 0
}

// parseInt reads a whole number as Redis's string2ll does: no plus sign, no
// leading zeros, no blanks, no "-0", within 64 bits.
func parseInt(b []byte) (v int64, ok bool) {
	digits := b
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	if digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	v, err := strconv.ParseInt(string(b), 10, 64)
	return v, err == nil
}
