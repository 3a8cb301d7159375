package differ

import (
	"slices"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/command"
	"redis-cluster-proxy/resp"
)

// chapter is how many random commands are compared until both begin with nothing again.
const chapter = 200

// leastAsked is how many commands are compared on however slow a machine.
const leastAsked = 2 * chapter

// TestRandomCommandsAreAnsweredAlike asks the proxy and Redis the same made-up things. Errors are the same; other replies are
// of the same type. Chance and time may make the two differ for a while, so a difference counts only if it comes again when
// the chapter is repeated; then the commands that it takes are shown.
func TestRandomCommandsAreAnsweredAlike(t *testing.T) {
	d := newDuel(t)
	v := &inventor{chooser: seeded(t), grammar: grammarOf(t, d.servers[0]), tag: "{t}", steady: true}
	v.rows = slices.DeleteFunc(rowsAtRandom(d.table), d.unlike)
	asked := 0
	for until := time.Now().Add(*spell); asked < leastAsked || time.Now().Before(until); {
		var calls [][]string
		for len(calls) < chapter {
			_, args := v.command()
			calls = append(calls, args)
		}
		asked += len(calls)
		at, _, _ := d.differing(t, calls)
		if at < 0 {
			continue
		}
		calls = calls[:at+1]
		if at, _, _ := d.differing(t, calls); at < 0 {
			continue
		}
		calls = d.shorten(t, calls)
		if _, got, want := d.differing(t, calls); got != nil {
			t.Errorf("%.300q\n proxy says %s\n redis says %s", calls, quoted([][]byte{got}), quoted([][]byte{want}))
			return
		}
	}
	t.Logf("%d commands were asked", asked)
}

// unlike reports whether replies of the command cannot be compared.
func (d *duel) unlike(row *command.Row) bool {
	container, _, _ := strings.Cut(row.Name, "|")
	switch {
	case row.Is("spop"), container == "object": // by chance, or by what is shared
		return true
	case row.Is("client|list"): // the proxy knows more filters
		return true
	case row.Is("copy"): // a node knows more databases than it uses, and words what is wrong with DB otherwise
		return true
	}
	entry := d.diff.excused[row.Name]
	return entry != nil && entry.kind != "failing"
}

// differing makes the calls until the replies to one differ, and returns which and how; -1 if none does. Behind a listed
// difference both begin with nothing again, for what the calls found from then on would not be the same.
func (d *duel) differing(t *testing.T, calls [][]string) (at int, got, want []byte) {
	t.Helper()
	d.empty(t)
	ours, theirs := d.sides(resp.RESP3)
	defer ours.close()
	defer theirs.close()
	for i, args := range calls {
		st := &step{replies: 1}
		for _, a := range args {
			st.words = append(st.words, word{text: a})
		}
		wants, err := theirs.take(st)
		if err != nil {
			t.Fatalf("%.300q: Redis: %v", args, err)
		}
		gots, err := ours.take(st)
		if err != nil {
			t.Fatalf("%.300q: %v; redis says %s", args, err, quoted(wants))
		}
		switch got, want := gots[0], wants[0]; {
		case got[0] != '-' && want[0] != '-' && got[0] == want[0], string(got) == string(want):
		case d.listed(got):
			d.empty(t)
		default:
			return i, got, want
		}
	}
	return -1, nil, nil
}

// listed reports whether the proxy's answer is one that differences.txt has.
func (d *duel) listed(got []byte) bool {
	for _, e := range d.diff.answers {
		if e.proxy.Match(got) {
			return true
		}
	}
	return false
}

// shorten leaves out calls without which the last one is answered differently all the same.
func (d *duel) shorten(t *testing.T, calls [][]string) [][]string {
	t.Helper()
	for i := len(calls) - 2; i >= 0; i-- {
		fewer := slices.Delete(slices.Clone(calls), i, i+1)
		if at, _, _ := d.differing(t, fewer); at == len(fewer)-1 {
			calls = fewer
		}
	}
	return calls
}
