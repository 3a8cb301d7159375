// Package dispatcher takes a client's request to the nodes that can answer it
// and brings the reply back to the request's place.
//
// A Dispatcher is shared by all sessions: it keeps the routes (slot to node),
// the budget of redirects and the goroutine that waits for retries. A Pipeline
// belongs to one session: it is the FIFO of the session's requests, in which a
// request has its place from the moment it is dispatched until its reply, and
// those of all requests before it, went to the Sink.
//
// A Request has one Part, or several if its keys are in several slots. A Part
// is one command to one node. Its life: routed, sent, then finished or bounced (a
// redirect, a node that cannot answer now, a lost connection); bounced parts wait
// in a hold of their slot, in order, and so do later parts of that session and
// slot, until they may be sent without overtaking.
//
// Locks are taken in this order: Pipeline.mu, then the lane's or the sink's; the
// Watcher's before the pool's. Neither a Pipeline's lock nor a lane's is held
// while the Watcher is called.
//
// Goroutines: Dispatcher.Run has the loops of retries, of late output, of function
// libraries and of awaited keys. A command that blocks or waits for keys in several
// slots, and an Errand to several nodes, have some for a while. All else runs in the
// session's reader, in the lanes' readers and in whoever publishes a topology.
//
// The package parses no protocol but the errors it acts on, and answers no
// command itself.
package dispatcher
