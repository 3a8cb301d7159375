// Package backend carries bytes to and from the nodes of a cluster.
//
// A Pool holds one Node per address; a Node holds, per Profile, a few
// TaskRunners. A shared TaskRunner is called a lane: one pipelined connection
// over which the tasks of many sessions travel. A Task is one command as bytes; it
// is given to a lane with Enqueue, written at the next Flush, and comes back to
// its Handler exactly once: with a reply, or with an error that tells whether any
// byte of it was sent. A Task with a Prelude is a transaction: several commands
// that stay together, and one reply.
//
// The order of calls: NewPool, Run in a goroutine of the caller's, Pool.Node,
// Node.Lane, Enqueue and Flush; Pool.Close ends every connection, and Run returns
// when all goroutines have ended.
//
// A leased TaskRunner is a connection of one holder's own for a while: Node.Lease,
// Lease.Do, Lease.Release. It ends with its first loss, and rests between holders.
//
// A Stream is a connection whose replies are not matched with requests: it is for
// subscriptions.
//
// Goroutines. A TaskRunner that is in use has one: TaskRunner.serveLoop dials and
// shakes hands, and TaskRunner.serve reads replies until the connection ends; the
// next task begins anew. Where a netio.Poller drives connections it has none
// meanwhile. Writing is done by whoever flushes, without blocking; when the node's
// socket is full, netio writes the rest. Stream.serveLoop and ear.listenLoop read
// what nobody has asked for.
//
// The package does not know slots, sessions or commands, and it retries nothing.
package backend
