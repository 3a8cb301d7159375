// Package proxy is the client's side: listeners, sessions and what a session
// itself answers.
//
// A Server accepts clients and makes a session of each. A session reads
// commands (session.readLoop), answers those that are about itself (local.go and
// the files beside it) and gives the rest to its dispatcher.Pipeline, which brings
// the replies back in order. A session's goroutine blocks only while it has
// nothing to do; the client's socket is written by whoever has a reply for it.
//
// The order of calls: New, Serve for each listener in a goroutine of its own,
// Shutdown. Serve returns when its listener is closed; Shutdown when every session
// has ended.
//
// The package routes nothing and knows no node.
package proxy

//go:generate go run ./gen
