package dispatcher

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// TestTranscripts plays the conversations in testdata. The lines that are not indented say what happens; the indented
// ones below are what that leads to, and are compared. With -update they are written instead.
//
//	# A comment.
//	set max-redirects=2        the Dispatcher's settings, see settings
//	node A 0-8191              a primary and its slots, which may be none
//	node R replica of A
//	client: GET foo            a client's command; successive ones of one client arrive together
//	client= +PONG              a command that the session answers itself
//	A: $3\r\nbar               the reply to the oldest command that A has not answered; successive ones arrive together
//	A sends $3\r\nba           a part of it; behind a whole push comes "client waits"
//	A answers +OK              its reply to everything from now on, which is not taken down; nothing: no longer
//	A pushes >1\r\n+news       an answer to nothing, over each of its connections; behind it comes "client waits"
//	A cuts                     it closes its connections
//	A stops                    and its port; A starts: opens it again
//	A fails                    the cluster says that A is dead
//	route foo B                the cluster says that the slot of key foo is B's; nothing: nobody's
//	client tracks              from now on its nodes tell it of changes; tracks broadcast: of all. Its lanes are its own
//	client caches yes          what it sends next is to be tracked, or not (no), with OPTIN or OPTOUT
//	client closes
//	client waits 2             until it has so many replies more
//
//	  A< GET foo               what a node hears
//	  client< $3\r\nbar\r\n    what a client gets, byte by byte
//	  topology< ...            what the Dispatcher reports
//
// Clients are lower case, nodes upper case; @A stands for A's address.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if got == string(want) {
				return
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("%s: %s", file, firstDifference(got, string(want)))
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d is %q, want %q\nthe whole of it:\n%s", i+1, g[i], w[i], got)
		}
	}
	return "one is longer:\n" + got
}

// play plays a transcript and returns it with what happened.
func play(t *testing.T, text string) string {
	sc := newScene(t)
	out := &sc.story
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "  ") {
			continue // what happened when it was written
		}
		fmt.Fprintln(out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		actor, _, _ := strings.Cut(line, " ")
		group := []string{line}
		for together(actor) && i+1 < len(lines) && speaker(lines[i+1]) == speaker(actor) {
			i++
			fmt.Fprintln(out, lines[i])
			group = append(group, lines[i])
		}
		sc.act(group)
		if declares(line) {
			continue
		}
		for _, event := range sc.harvest() {
			fmt.Fprintln(out, "  "+event)
		}
	}
	for _, s := range sc.sessions {
		if s.pipe.Len() > 0 && !s.closed {
			t.Errorf("at the end %d requests have no reply", s.pipe.Len())
		}
		s.close()
	}
	return out.String()
}

// together reports whether lines of this kind in succession are one event.
func together(actor string) bool {
	return strings.HasSuffix(actor, ":") || strings.HasSuffix(actor, "=")
}

// speaker is who speaks in a line: "client" for both "client: GET foo" and "client= +PONG".
func speaker(line string) string {
	actor, _, _ := strings.Cut(line, " ")
	if !together(actor) {
		return ""
	}
	return actor[:len(actor)-1]
}

// declares reports whether a line comes before anything happens, or what comes of it is awaited.
func declares(line string) bool {
	return strings.HasPrefix(line, "set ") || strings.HasPrefix(line, "node ") || strings.Contains(line, " pushes ") ||
		strings.Contains(line, " sends >")
}

// act does what the lines say; several are of one speaker.
func (sc *scene) act(lines []string) {
	if who := speaker(lines[0]); who != "" {
		if p := sc.peers[who]; p != nil {
			sc.answer(p, lines)
		} else {
			sc.speak(who, lines)
		}
		return
	}
	words := strings.Fields(lines[0])
	switch {
	case words[0] == "set":
		for _, option := range words[1:] {
			sc.set(option)
		}
	case words[0] == "node" && len(words) > 2 && words[2] == "replica":
		sc.replicate(words[1], words[4])
	case words[0] == "node":
		sc.declare(words[1:])
	case words[0] == "route":
		sc.route(words[1], append(words, "")[2])
	case len(words) > 1 && sc.peers[words[0]] != nil:
		_, rest, _ := strings.Cut(lines[0], words[1])
		sc.direct(sc.peers[words[0]], words[1], sc.raw(strings.TrimSpace(rest)))
	case len(words) == 2 && words[1] == "closes":
		sc.session(words[0]).close()
	case len(words) > 1 && words[1] == "tracks":
		sc.track(words[0], len(words) > 2)
	case len(words) > 2 && words[1] == "caches":
		sc.session(words[0]).pipe.SetCaching(map[string]backend.Caching{"yes": backend.CachingYes, "no": backend.CachingNo}[words[2]])
	case len(words) == 3 && words[1] == "waits":
		sc.await(words[0], words[2])
	default:
		sc.fatalf("%q", lines[0])
	}
}

// set changes a setting.
func (sc *scene) set(option string) {
	name, value, _ := strings.Cut(option, "=")
	fields := map[string]any{
		"max-redirects": &sc.cfg.MaxRedirects, "redirect-timeout": &sc.cfg.RedirectTimeout,
		"read-prefer": &sc.cfg.ReadPrefer, "read-your-writes": &sc.cfg.ReadYourWrites,
		"retry-idempotent": &sc.cfg.RetryIdempotent, "reject-cross-slot": &sc.cfg.RejectCrossSlot,
		"request-timeout": &sc.pool.RequestTimeout,
	}
	var err error
	switch field := fields[name].(type) {
	case *int:
		*field, err = strconv.Atoi(value)
	case *time.Duration:
		*field, err = time.ParseDuration(value)
	case *bool:
		*field = true
	case *ReadPrefer:
		*field = map[string]ReadPrefer{"primary": PreferPrimary, "replica": PreferReplica, "idc": PreferReplicaIDC}[value]
	default:
		err = fmt.Errorf("%v is no setting", reflect.TypeOf(field))
	}
	if err != nil {
		sc.fatalf("set %s: %v", option, err)
	}
}

// declare makes a primary.
func (sc *scene) declare(words []string) {
	from, to := 0, -1
	if len(words) > 1 {
		if _, err := fmt.Sscanf(words[1], "%d-%d", &from, &to); err != nil {
			sc.fatalf("slots %q: %v", words[1], err)
		}
		sc.own(words[0], from, to)
	}
	sc.node(words[0])
}

// direct makes a node do something other than to answer.
func (sc *scene) direct(p *peer, what, text string) {
	switch what {
	case "sends":
		sc.demand(p.say(text))
	case "answers":
		if text != "" {
			text += "\r\n"
		}
		p.answerAlways(text)
	case "pushes":
		p.push(text + "\r\n")
	case "cuts":
		p.cut()
	case "stops":
		sc.down.Add(1)
		p.stop()
	case "fails":
		sc.chart.fail(p.addr)
		poll(sc.t, "the end of the connections to "+p.name, p.forgotten)
	case "starts":
		p.listen(sc.t, p.addr)
		sc.revived++
	default:
		sc.fatalf("%s %s", p.name, what)
	}
}

func (sc *scene) answer(p *peer, lines []string) {
	var replies []string
	for _, line := range lines {
		_, text, _ := strings.Cut(line, " ")
		replies = append(replies, sc.raw(text)+"\r\n")
	}
	sc.demand(p.answer(replies...))
}

func (sc *scene) speak(who string, lines []string) {
	s := sc.session(who)
	for _, line := range lines {
		actor, text, _ := strings.Cut(line, " ")
		if strings.HasSuffix(actor, "=") {
			s.pipe.Local(nil, []byte(sc.raw(text)+"\r\n"))
		} else {
			s.pipe.Begin(backend.Now())
			s.dispatch(resp.AppendCommand(nil, sc.words(text)...))
		}
	}
	s.pipe.Flush()
}

// await waits until a client has got n replies since the last harvest.
func (sc *scene) await(who, n string) {
	s := sc.session(who)
	want, err := strconv.Atoi(n)
	sc.demand(err)
	if !polled(func() bool { return s.replies() >= want }) {
		sc.fatalf("%s gets no reply", who)
	}
}
