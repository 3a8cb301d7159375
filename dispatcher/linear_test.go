package dispatcher

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"redis-cluster-proxy/internal/redistest"
)

// TestLinearizable has a few sessions read and write a few keys while their slots move and nodes fail over, and looks for
// an order of all requests, in keeping with when each was sent and answered, by which every reply is right.
func TestLinearizable(t *testing.T) {
	cluster := redistest.StartFakeCluster(t)
	r := newFakeRig(t, Config{}, cluster)
	h := &history{began: time.Now()}
	l := newLoad(r, 5)
	var running sync.WaitGroup
	for i, w := range l.workers {
		w.task = func() error { return h.steps(w, i) }
		running.Go(w.run)
	}
	trouble(t, cluster, l, 60)
	l.stop.Store(true)
	running.Wait()
	for _, w := range l.workers {
		if w.err != nil {
			t.Errorf("%s: %v", w.name, w.err)
		}
	}
	t.Logf("%d requests, %d of unknown result; %d MOVED, %d ASK", len(h.ops), h.unknown, cluster.Errors("MOVED"), cluster.Errors("ASK"))
	if len(h.ops) < 1000 || h.unknown == 0 {
		t.Error("that proves nothing")
	}
	if got := porcupine.CheckOperationsTimeout(registers, h.ops, patience); got != porcupine.Ok {
		t.Errorf("the history is not linearizable: %s", got)
	}
}

// history is the operations of all sessions.
type history struct {
	began time.Time

	mu sync.Mutex
	// Guarded by mu.
	ops     []porcupine.Operation
	unknown int
}

// operation is what a session asks of a register.
type operation struct{ name, key, value string }

// outcome is the reply.
type outcome struct {
	text    string
	unknown bool // UNKNOWNRESULT: executed at any time from then on, or never
}

// steps sends some requests, one at a time.
func (h *history) steps(w *worker, client int) error {
	for range 8 {
		if err := h.step(w, client); err != nil {
			return err
		}
	}
	return nil
}

// step sends one request.
func (h *history) step(w *worker, client int) error {
	tag := w.rng.IntN(tags)
	op := operation{name: []string{"GET", "GET", "SET", "GETSET", "DEL"}[w.rng.IntN(5)], key: key(tag, 0)}
	args := []string{op.name, op.key}
	if op.name == "SET" || op.name == "GETSET" {
		op.value = w.id()
		args = append(args, op.value)
	}
	call := time.Since(h.began).Nanoseconds()
	v, err := w.ask(args...)
	back := time.Since(h.began).Nanoseconds()
	if err != nil {
		return err
	}
	out := outcome{text: v.Str}
	if v.Kind == '-' {
		if op.name == "GET" || !strings.HasPrefix(v.Str, "UNKNOWNRESULT ") {
			return errorReply(v.Str)
		}
		out.unknown = true
		back = 1 << 62
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: op, Output: out, Call: call, Return: back})
	if out.unknown {
		h.unknown++
	}
	return nil
}

// errorReply is an error that no request may get.
type errorReply string

func (e errorReply) Error() string { return "error reply: " + string(e) }

// registers is what the keys are: strings, empty if missing.
var registers = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, op := range all {
			k := op.Input.(operation).key
			byKey[k] = append(byKey[k], op)
		}
		var parts [][]porcupine.Operation
		for _, ops := range byKey {
			parts = append(parts, ops)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		value, op, out := state.(string), input.(operation), output.(outcome)
		want, next := value, value
		switch op.name {
		case "SET":
			want, next = "OK", op.value
		case "GETSET":
			next = op.value
		case "DEL":
			want, next = strconv.Itoa(min(len(value), 1)), ""
		}
		return out.unknown || out.text == want, next
	},
}

// TestRegistersRefuse makes sure that the model can fail.
func TestRegistersRefuse(t *testing.T) {
	op := func(name, value, text string, call, back int64) porcupine.Operation {
		return porcupine.Operation{Input: operation{name, "k", value}, Output: outcome{text: text}, Call: call, Return: back}
	}
	lost := op("SET", "b", "", 5, 1<<62)
	lost.Output = outcome{unknown: true}
	for name, tc := range map[string]struct {
		want bool
		ops  []porcupine.Operation
	}{
		"a stale read":            {false, []porcupine.Operation{op("SET", "a", "OK", 1, 2), op("GET", "", "", 3, 4)}},
		"at the same time":        {true, []porcupine.Operation{op("SET", "a", "OK", 1, 4), op("GET", "", "", 2, 3)}},
		"an unknown write, done":  {true, []porcupine.Operation{lost, op("GET", "", "", 6, 7), op("GET", "", "b", 8, 9)}},
		"an unknown write, twice": {false, []porcupine.Operation{lost, op("GETSET", "c", "b", 6, 7), op("GET", "", "b", 8, 9)}},
	} {
		if got := porcupine.CheckOperations(registers, tc.ops); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}
