//go:build race

package dispatcher

// raceEnabled says that the race detector is on.
const raceEnabled = true
