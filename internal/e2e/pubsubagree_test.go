package e2e

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-cluster-proxy/dispatcher"
	"redis-cluster-proxy/internal/proxytest"
	"redis-cluster-proxy/internal/redistest"
	"redis-cluster-proxy/resp"
)

// TestPublishersAreToldWhoHears has clients come and go while others publish, always the same words: what publishers are told
// is, added up, what was heard.
func TestPublishersAreToldWhoHears(t *testing.T) {
	c := cluster.Get(t)
	p := start(t, c, proxytest.Config{Dispatcher: dispatcher.Config{SplitTransactions: true, LullPatience: proxytest.Patience, Straggle: agreedStraggle}})
	admin := proxytest.Connect(t, p.Addr)
	admin.Do("ACL", "SETUSER", "another", "on", ">secret", "+@all", "~*", "&*")
	defer admin.Do("ACL", "DELUSER", "another")
	for _, s := range []agreement{
		{name: "channel", begin: "SUBSCRIBE", end: "UNSUBSCRIBE", what: "agreed", publish: []string{"PUBLISH", "agreed", "x"}, rounds: 10},
		{name: "pattern", begin: "PSUBSCRIBE", end: "PUNSUBSCRIBE", what: "{agreed}:*", publish: []string{"PUBLISH", "{agreed}:1", "x"}, rounds: 10},
		{name: "pattern at another node", begin: "PSUBSCRIBE", end: "PUNSUBSCRIBE", what: "agreed*",
			publish: []string{"PUBLISH", elsewhere(c, "agreed*"), "x"}, rounds: 2, from: elsewhere(c, "agreed*")},
		{name: "transaction", begin: "SUBSCRIBE", end: "UNSUBSCRIBE", what: "agreed", publish: []string{"PUBLISH", "agreed", "x"}, rounds: 10,
			with: []string{"INCR", "{agreed}:count"}},
		{name: "transaction at another node", begin: "SUBSCRIBE", end: "UNSUBSCRIBE", what: "agreed",
			publish: []string{"PUBLISH", "agreed", "x"}, rounds: 2, with: []string{"INCR", elsewhere(c, "agreed")}, from: elsewhere(c, "agreed")},
		{name: "guarded transaction", begin: "SUBSCRIBE", end: "UNSUBSCRIBE", what: "agreed", publish: []string{"PUBLISH", "agreed", "x"},
			rounds: 10, with: []string{"ECHO", "x"}, watch: "{agreed}:none"},
		{name: "transaction in parts", begin: "SSUBSCRIBE", end: "SUNSUBSCRIBE", what: "agreed:s", publish: []string{"SPUBLISH", "agreed:s", "x"},
			rounds: 10, with: []string{"INCR", "agreed:another"}, watch: "agreed:none"},
		{name: "shard", begin: "SSUBSCRIBE", end: "SUNSUBSCRIBE", what: "agreed:s", publish: []string{"SPUBLISH", "agreed:s", "x"}, rounds: 10},
	} {
		t.Run(s.name, func(t *testing.T) {
			for range s.rounds {
				s.exactRound(t, c, p.Addr)
			}
		})
	}
}

// elsewhere returns a name whose node is another one.
func elsewhere(c *redistest.Cluster, than string) string {
	for i := 0; ; i++ {
		if name := fmt.Sprint("agreed:", i); c.OwnerOf(redistest.Slot(name)) != c.OwnerOf(redistest.Slot(than)) {
			return name
		}
	}
}

// agreement is a way to subscribe, and to publish what is heard then.
type agreement struct {
	name, begin, end, what string
	publish                []string
	rounds                 int
	with                   []string // is executed in one transaction with it; nil: it is no transaction
	watch                  string   // guards that
	from                   string   // has the slot of the node where it is published; "": the one where it is heard
}

// lateRounds is how many rounds do not count because the bus was late.
const lateRounds = 30

// exactRound is a round in which publishers are told who hears. What comes by the bus later than the proxy waits for is not
// its fault: then the round does not count.
func (a agreement) exactRound(t *testing.T, c *redistest.Cluster, addr string) {
	t.Helper()
	for range lateRounds {
		var bus *witness
		if a.from != "" {
			bus = watchBus(t, c, a.from, a.what)
		}
		told, heard := a.round(t, addr)
		late := time.Duration(0)
		if bus != nil {
			late = bus.end()
		}
		switch {
		case t.Failed() || told == heard:
			return
		case late < lateBus:
			t.Errorf("publishers were told of %d receivers, %d have heard", told, heard)
			return
		}
		t.Logf("the bus has kept a message for %v", late)
	}
	t.Errorf("the bus was late in all of %d rounds", lateRounds)
}

// round has a few clients subscribe, and end that when they have heard something, a few times each. It returns how many
// receivers publishers were told of, and how many there were.
func (a agreement) round(t *testing.T, addr string) (_, _ int64) {
	t.Helper()
	const subscribers, times, publishers = 6, 10, 3
	var told, heard atomic.Int64
	var listening, publishing sync.WaitGroup
	for i := range subscribers {
		d := proxytest.Connect(t, addr)
		defer d.Close()
		if i%3 == 2 {
			d.Do("AUTH", "another", "secret")
		}
		if i%2 == 0 {
			d.Do("HELLO", "3")
		}
		listening.Go(func() {
			for n := range times {
				if err := a.listen(d, (i+n)%4, &heard); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	over := make(chan struct{})
	for range publishers {
		d := proxytest.Connect(t, addr)
		defer d.Close()
		publishing.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				v, err := a.say(d.Client)
				if err != nil || v.Kind != ':' {
					t.Errorf("%q: %+v, %v", a.publish, v, err)
					return
				}
				told.Add(v.Int)
			}
		})
	}
	listening.Wait()
	close(over)
	publishing.Wait()
	return told.Load(), heard.Load()
}

// say publishes once and returns the reply to that.
func (a agreement) say(c *proxytest.Client) (resp.Value, error) {
	if a.with == nil {
		return c.Do(a.publish...)
	}
	commands := [][]string{{"MULTI"}, a.with, a.publish, {"EXEC"}}
	if a.watch != "" {
		commands = append([][]string{{"WATCH", a.watch}}, commands...)
	}
	var last resp.Value
	for _, args := range commands {
		v, err := c.Do(args...)
		if err != nil || v.Kind == '-' {
			return v, err
		}
		last = v
	}
	if len(last.Elems) != 2 {
		return last, nil
	}
	return last.Elems[1], nil
}

// listen subscribes, hears at least so many messages, and unsubscribes.
func (a agreement) listen(d *proxytest.Dialog, atLeast int, heard *atomic.Int64) error {
	if err := d.SendCommand(a.begin, a.what); err != nil {
		return err
	}
	for ended, n := false, 0; ; {
		if n == atLeast && !ended {
			ended = true
			if err := d.SendCommand(a.end, a.what); err != nil {
				return err
			}
		}
		v, err := d.Read()
		if err != nil || len(v.Elems) < 3 {
			return fmt.Errorf("a subscriber hears %+v, %w", v, err)
		}
		switch word := v.Elems[0].Str; {
		case strings.HasSuffix(word, "message"):
			heard.Add(1)
			n++
		case word == strings.ToLower(a.end):
			return nil
		}
	}
}
