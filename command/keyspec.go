package command

// BeginKind says how a KeySpec's first argument is found.
type BeginKind uint8

// The begin_search types of https://redis.io/docs/latest/develop/reference/key-specs/.
const (
	BeginUnknown BeginKind = iota // cannot be declared
	BeginIndex                    // at KeySpec.Index
	BeginKeyword                  // behind KeySpec.Keyword, looked for from KeySpec.StartFrom
)

// FindKind says which arguments from the first on are keys.
type FindKind uint8

// The find_keys types of https://redis.io/docs/latest/develop/reference/key-specs/.
const (
	FindUnknown FindKind = iota // cannot be declared
	FindRange                   // up to KeySpec.LastKey
	FindKeyNum                  // as many as an argument says
)

// KeyFlags is the set of a KeySpec's flags that matter to routing; those that tell reads from writes are left out.
type KeyFlags uint8

const (
	KeyNotKey        KeyFlags = 1 << iota // not_key: routes like a key but names none (the channel of SPUBLISH)
	KeyIncomplete                         // incomplete: there may be more keys than these
	KeyVariableFlags                      // variable_flags: set for specs that a module did not declare itself
)

// KeySpec is one key specification of a command: a rule that finds some of its keys.
type KeySpec struct {
	Flags KeyFlags

	Begin     BeginKind
	Index     int    // BeginIndex: of the first argument
	Keyword   string // BeginKeyword: in lower case
	StartFrom int    // BeginKeyword: where the search begins; negative counts from the end and searches backwards

	Find      FindKind
	LastKey   int // FindRange: counts from the first key, or from the end if negative (-1 is the last argument)
	Limit     int // FindRange with LastKey -1: 2 or more takes only the first 1/Limit of the remaining arguments
	KeyNumIdx int // FindKeyNum: where the number stands, counted from the first argument
	FirstKey  int // FindKeyNum: where the keys begin, counted from the first argument
	KeyStep   int // from one key to the next
}

// maxSpecNumber bounds the numbers of a specification, so that sums of them and of indexes do not overflow.
const maxSpecNumber = 1 << 24

// complete reports whether s finds all the keys it stands for, and makes sense.
func (s *KeySpec) complete() bool {
	for _, n := range [...]int{s.Index, s.StartFrom, s.LastKey, s.Limit, s.KeyNumIdx, s.FirstKey, s.KeyStep} {
		if n < -maxSpecNumber || n > maxSpecNumber {
			return false
		}
	}
	return s.Begin != BeginUnknown && s.Find != FindUnknown && s.Flags&KeyIncomplete == 0
}

// appendKeys appends the indexes that s finds in args. A keyword that is not there is no mistake: the keys behind it
// are optional.
func (s *KeySpec) appendKeys(dst []int, args [][]byte) ([]int, error) {
	first := s.Index
	if s.Begin == BeginKeyword {
		first = s.behindKeyword(args)
		if first == 0 {
			return dst, nil
		}
	}
	if first < 1 || s.KeyStep < 1 {
		return dst, ErrInvalid
	}
	if s.Find == FindKeyNum {
		return s.appendCounted(dst, args, first)
	}
	return s.appendRange(dst, args, first)
}

// behindKeyword is the index behind the keyword, or 0. The keyword is never the last argument.
func (s *KeySpec) behindKeyword(args [][]byte) int {
	if s.StartFrom < 0 {
		for i := min(len(args)+s.StartFrom, len(args)-2); i > 0; i-- {
			if equalFold(args[i], s.Keyword) {
				return i + 1
			}
		}
		return 0
	}
	for i := max(s.StartFrom, 1); i < len(args)-1; i++ {
		if equalFold(args[i], s.Keyword) {
			return i + 1
		}
	}
	return 0
}

func (s *KeySpec) appendRange(dst []int, args [][]byte, first int) ([]int, error) {
	last := first + s.LastKey
	if s.LastKey < 0 {
		last = len(args) + s.LastKey
		if s.Limit > 1 && first <= len(args) {
			last = first + (len(args)-first)/s.Limit + s.LastKey
		}
		if last == first-1 {
			return dst, nil // nothing left for an optional list (PFMERGE dest)
		}
		// A key without the value that follows each key: MSET a 1 b.
		if s.LastKey == -1 && s.Limit <= 1 && (len(args)-first)%s.KeyStep != 0 {
			return dst, ErrInvalid
		}
	}
	if last < first || last >= len(args) {
		return dst, ErrInvalid
	}
	for i := first; i <= last; i += s.KeyStep {
		dst = append(dst, i)
	}
	return dst, nil
}

func (s *KeySpec) appendCounted(dst []int, args [][]byte, first int) ([]int, error) {
	at := first + s.KeyNumIdx
	if at < 1 || at >= len(args) {
		return dst, ErrInvalid
	}
	n, ok := parseCount(args[at])
	first += s.FirstKey
	if !ok || n > len(args) || first < 1 {
		return dst, ErrInvalid
	}
	if n == 0 {
		return dst, nil
	}
	if last := first + (n-1)*s.KeyStep; last >= len(args) {
		return dst, ErrInvalid
	}
	for range n {
		dst = append(dst, first)
		first += s.KeyStep
	}
	return dst, nil
}

// parseCount reads a decimal number of keys as Redis's string2ll does: no sign, no blank, no leading zero. Numbers of
// more than nine digits are refused as well: no request has that many arguments that are keys.
func parseCount(arg []byte) (int, bool) {
	if len(arg) == 0 || len(arg) > 9 || (arg[0] == '0' && len(arg) > 1) {
		return 0, false
	}
	n := 0
	for _, c := range arg {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
