package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// count parses a whole number of at least least.
func count(least int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || int(n) < least {
			return 0, fmt.Errorf("want a whole number of at least %d", least)
		}
		return int(n), nil
	}
}

// atLeast parses a duration of at least least.
func atLeast(least time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, errors.New("want a duration with its unit, such as 3s or 500ms")
		}
		if d < least {
			return 0, fmt.Errorf("want at least %v", least)
		}
		return d, nil
	}
}

// parseSlowerThan parses a duration of at least 0, or "off", which is a negative one.
func parseSlowerThan(text string) (time.Duration, error) {
	if strings.EqualFold(text, "off") {
		return -1, nil
	}
	return atLeast(0)(text)
}

// sizeUnits are those of redis.conf: with a b they are powers of 1024, without of 1000.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"b", 1}, {"", 1},
}

// size parses a number of bytes of at least least, written as in redis.conf ("512mb").
func size(least int64) func(string) (int64, error) {
	return func(text string) (int64, error) {
		lower := strings.ToLower(text)
		for _, unit := range sizeUnits {
			digits, found := strings.CutSuffix(lower, unit.suffix)
			if !found {
				continue
			}
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || n < 0 || n > math.MaxInt64/unit.bytes {
				break
			}
			if n*unit.bytes < least {
				return 0, fmt.Errorf("want at least %d bytes", least)
			}
			return n * unit.bytes, nil
		}
		return 0, errors.New("want a number of bytes such as 1048576, 64kb, 512mb or 1gb")
	}
}
