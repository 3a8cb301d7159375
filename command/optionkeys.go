package command

// keyFinder finds the keys of a command whose key specifications do not say all: they are marked incomplete or
// unknown, or are mistaken for some arguments. These follow the getkeys procedures of Redis's db.c, by which a
// cluster's node itself tells a request's slot.
type keyFinder func(dst []int, args [][]byte) ([]int, error)

var keyFinders = map[string]keyFinder{
	// The specs say nothing of STORE, which may stand anywhere.
	"sort": sortKeys,
	// Not declared at all: DEBUG has no sub-commands to the server.
	"debug": debugKeys,
	// The specs are those of SORT; but it has no STORE, and keys made from BY and GET patterns are refused in a cluster.
	"sort_ro": firstArgument,
	// The specs give the first STORE's and the first STOREDIST's destination; the command writes to the last of all.
	"georadius":         radiusKeys,
	"georadiusbymember": radiusByMemberKeys,
	// The specs find KEYS only at one place, and take the empty third argument for a key beside it.
	"migrate": migrateKeys,
	// The specs take a group or a consumer that is called "streams" for the keyword.
	"xread":      readKeys,
	"xreadgroup": readGroupKeys,
}

func firstArgument(dst []int, args [][]byte) ([]int, error) {
	if len(args) < 2 {
		return dst, ErrInvalid
	}
	return append(dst, 1), nil
}

// debugKeys: DEBUG OBJECT key [FAST] and the like; most forms have none.
func debugKeys(dst []int, args [][]byte) ([]int, error) {
	if len(args) < 3 {
		return dst, nil
	}
	for _, name := range [...]string{"object", "sdslen", "listpack", "ziplist", "quicklist", "htstats-key"} {
		if equalFold(args[1], name) {
			return append(dst, 2), nil
		}
	}
	if equalFold(args[1], "digest-value") {
		for i := 2; i < len(args); i++ {
			dst = append(dst, i)
		}
	}
	return dst, nil
}

// sortKeys: SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE destination]. The
// last STORE counts.
func sortKeys(dst []int, args [][]byte) ([]int, error) {
	dst, err := firstArgument(dst, args)
	if err != nil {
		return dst, err
	}
	destination := 0
	for i := 2; i < len(args); i++ {
		switch {
		case equalFold(args[i], "limit"):
			i += 2
		case equalFold(args[i], "get"), equalFold(args[i], "by"):
			i++
		case equalFold(args[i], "store") && i+1 < len(args):
			i++
			destination = i
		}
	}
	if destination != 0 {
		dst = append(dst, destination)
	}
	return dst, nil
}

// radiusKeys: GEORADIUS key longitude latitude radius unit [...] [STORE key|STOREDIST key].
func radiusKeys(dst []int, args [][]byte) ([]int, error) { return destinationKeys(dst, args, 6) }

// radiusByMemberKeys: GEORADIUSBYMEMBER key member radius unit [...] [STORE key|STOREDIST key].
func radiusByMemberKeys(dst []int, args [][]byte) ([]int, error) {
	return destinationKeys(dst, args, 5)
}

// destinationKeys finds the source and the destination, which the last STORE or STOREDIST names. Options begin at
// options.
func destinationKeys(dst []int, args [][]byte, options int) ([]int, error) {
	dst, err := firstArgument(dst, args)
	if err != nil {
		return dst, err
	}
	destination := 0
	for i := options; i+1 < len(args); i++ {
		if equalFold(args[i], "store") || equalFold(args[i], "storedist") {
			i++
			destination = i
		}
	}
	if destination != 0 {
		dst = append(dst, destination)
	}
	return dst, nil
}

// migrateKeys: MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password|AUTH2 user password]
// [KEYS key ...]. KEYS and a third argument that is not empty exclude each other.
func migrateKeys(dst []int, args [][]byte) ([]int, error) {
	if len(args) < 6 {
		return dst, ErrInvalid
	}
	for i := 6; i < len(args); i++ {
		switch {
		case equalFold(args[i], "auth"):
			i++
		case equalFold(args[i], "auth2"):
			i += 2
		case equalFold(args[i], "keys"):
			if len(args[3]) != 0 || i+1 == len(args) {
				return dst, ErrInvalid
			}
			for i++; i < len(args); i++ {
				dst = append(dst, i)
			}
			return dst, nil
		}
	}
	return append(dst, 3), nil
}

// readKeys: XREAD [COUNT n] [BLOCK ms] STREAMS key ... id ...
func readKeys(dst []int, args [][]byte) ([]int, error) { return streamKeys(dst, args, false) }

// readGroupKeys: XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key ... id ...
func readGroupKeys(dst []int, args [][]byte) ([]int, error) { return streamKeys(dst, args, true) }

// streamKeys finds the keys behind STREAMS: one id follows for each key. Words that are no option known here are
// passed over, for the sake of newer servers.
func streamKeys(dst []int, args [][]byte, needsGroup bool) ([]int, error) {
	grouped := false
	for i := 1; i < len(args); i++ {
		switch {
		case equalFold(args[i], "block"), equalFold(args[i], "count"):
			i++
		case equalFold(args[i], "group"):
			grouped = true
			i += 2
		case equalFold(args[i], "streams"):
			n := len(args) - i - 1
			if n == 0 || n%2 != 0 || grouped != needsGroup {
				return dst, ErrInvalid
			}
			for range n / 2 {
				i++
				dst = append(dst, i)
			}
			return dst, nil
		}
	}
	return dst, ErrInvalid
}
