package dispatcher

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang/glog"

	"redis-cluster-proxy/backend"
	"redis-cluster-proxy/resp"
)

// functionKeeper gives function libraries to primaries that lack them: a node
// that was added to the cluster by hand has none. Who loads functions through the
// proxy loads them everywhere, so that a library which some primary has is one that
// all should have. It is safe for concurrent use.
type functionKeeper struct {
	// Set at construction.
	d    *Dispatcher
	wake chan struct{} // holds at most one token

	used atomic.Bool // functions have been called

	mu sync.Mutex
	// Guarded by mu.
	wanted  map[string][]waiter // who waits, by the address of the node to be looked at
	checked map[string]int64    // when a node was found to lack nothing, by backend.Now
}

// waiter is a part's place in the hold of a slot.
type waiter struct {
	pipe *Pipeline
	slot uint16
}

// checkInterval is for how long a node that lacked nothing is not looked at
// again: a client may call a function that does not exist as often as it likes.
const checkInterval = time.Second

// maxLibraries bounds the bytes of all nodes' libraries together.
const maxLibraries = 64 << 20

func (k *functionKeeper) init(d *Dispatcher) {
	k.d, k.wake = d, make(chan struct{}, 1)
	k.wanted, k.checked = make(map[string][]waiter), make(map[string]int64)
}

// mayLack reports whether it is worth to look at the node's libraries.
func (k *functionKeeper) mayLack(addr string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, ok := k.checked[addr]
	return !ok || backend.Now()-at > int64(checkInterval)
}

// want asks for a look at a node's libraries; those who wait are told.
func (k *functionKeeper) want(addr string, who ...waiter) {
	k.mu.Lock()
	k.wanted[addr] = append(k.wanted[addr], who...)
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// rerouted looks at primaries that have not been ones, if functions are in use.
func (k *functionKeeper) rerouted(old, now *routes) {
	if !k.used.Load() {
		return
	}
	known := make(map[*member]bool)
	for i := range old.shards {
		known[old.shards[i].primary] = true
	}
	for i := range now.shards {
		if m := now.shards[i].primary; m != nil && !known[m] {
			k.want(m.node.Addr)
		}
	}
}

// functionLoop looks at nodes until ctx ends.
func (k *functionKeeper) functionLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		}
		k.mu.Lock()
		wanted := k.wanted
		k.wanted = make(map[string][]waiter)
		k.mu.Unlock()
		for addr, waiting := range wanted {
			k.look(ctx, addr)
			for _, w := range waiting {
				w.pipe.advance(w.slot, true)
			}
		}
	}
}

// look gives a node, or the primary of which it is a replica, what it lacks. It
// remembers if that was nothing.
func (k *functionKeeper) look(ctx context.Context, addr string) {
	loaded := k.repair(ctx, addr)
	k.mu.Lock()
	defer k.mu.Unlock()
	if loaded > 0 {
		delete(k.checked, addr)
		return
	}
	if len(k.checked) > maxChecked {
		clear(k.checked)
	}
	k.checked[addr] = backend.Now()
}

// maxChecked bounds what is remembered of nodes that have left.
const maxChecked = 4096

// repair returns how many libraries it has loaded.
func (k *functionKeeper) repair(ctx context.Context, addr string) (loaded int) {
	e := k.d.NewErrand(k.d.cfg.Own)
	e.Limit(maxLibraries)
	replies, err := e.AskShards(ctx, []byte("FUNCTION"), []byte("LIST"), []byte("WITHCODE"))
	if err != nil {
		glog.Warningf("functions of the nodes cannot be compared: %v", err)
		return 0
	}
	primary := k.primaryOf(addr)
	for name, code := range lacking(replies, primary) {
		reply, err := e.Ask(ctx, primary, []byte("FUNCTION"), []byte("LOAD"), []byte(code))
		if err == nil && isError(reply) {
			err = nodeFailure(primary, reply)
		}
		if err != nil {
			glog.Warningf("function library %q cannot be loaded at a node that lacks it: %v", name, err)
			continue
		}
		glog.Infof("node %s lacked function library %q: loaded", primary, name)
		loaded++
	}
	return loaded
}

func (k *functionKeeper) primaryOf(addr string) string {
	for _, sh := range k.d.routes.Load().table.Shards {
		for _, n := range sh.Replicas {
			if n.Addr == addr && sh.Primary != nil {
				return sh.Primary.Addr
			}
		}
	}
	return addr
}

// lacking returns the code of the libraries that others have and the node at
// addr, which is one of those that replied, has not.
func lacking(replies []NodeReply, addr string) map[string]string {
	all, own := make(map[string]string), map[string]string(nil)
	for _, r := range replies {
		libraries := librariesOf(r.Bytes)
		if r.Addr == addr {
			own = libraries
		}
		for name, code := range libraries {
			if all[name] == "" {
				all[name] = code
			}
		}
	}
	if own == nil { // it has left
		return nil
	}
	for name := range own {
		delete(all, name)
	}
	return all
}

// librariesOf reads a reply to FUNCTION LIST WITHCODE: code by name. It is not
// nil.
func librariesOf(reply []byte) map[string]string {
	libraries := make(map[string]string)
	v, _, err := resp.ReadValue(reply)
	if err != nil {
		return libraries
	}
	for _, library := range v.Elems {
		var name, code string
		for i := 0; i+1 < len(library.Elems); i += 2 {
			switch strings.ToLower(library.Elems[i].Str) {
			case "library_name":
				name = library.Elems[i+1].Str
			case "library_code":
				code = library.Elems[i+1].Str
			}
		}
		if name != "" && code != "" {
			libraries[name] = code
		}
	}
	return libraries
}
