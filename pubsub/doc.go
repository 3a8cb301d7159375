// Package pubsub shares subscriptions among the clients of a proxy.
//
// A Hub has a topic for each channel or pattern that somebody subscribes to, once
// however many do. A topic is subscribed to at one node, its home: the primary of
// the slot of its name, so that all proxies and publishers choose the same, and the
// messages of a channel keep their order. Subscriptions go over trunks, one
// connection per node and user, so that the nodes judge what a user may hear. When
// a trunk is lost, or its node is a primary no more, its topics move; their
// subscribers are told nothing. Events of the keyspace are told by each node of its
// own keys only: what can match them is subscribed to at all primaries (events.go).
//
// What a trunk hears gathers until its fan-out has written what came before
// (fanout.go). So many messages share one write to each client when there are many,
// and one that comes alone waits for nothing.
//
// Order of calls: New; NewClient for each client with subscriptions; Client.Join
// and Leave; Client.Close; Hub.Close at the end. Cluster.Rerouted is to be passed on
// to Hub.Rerouted.
//
// Goroutines: trunk.fanLoop, one for each trunk; timers for what is tried again,
// and for trunks that nobody needs. What is heard is taken by the goroutine that
// reads the connection, which blocks on nothing.
//
// The package knows neither sessions nor how nodes are reached.
package pubsub
