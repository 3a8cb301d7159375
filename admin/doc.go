// Package admin serves the operator's side of the proxy over HTTP: metrics, health, profiles, the log level and a status
// page.
//
//	GET /               a short index
//	GET /metrics        Prometheus' text format
//	GET /healthz        200 while the process lives
//	GET /readyz         200 when the proxy can serve clients, else 503 with the reason
//	GET /status         a text page for people
//	GET /loglevel       the log's verbosity
//	PUT /loglevel       sets it, from what GET prints
//	GET /debug/pprof/   profiles of the running process
//
// There is no authentication: profiles and the status page show more than a stranger should see, so the address belongs
// on loopback or on a private network.
//
// The package is given plain functions and values and imports no other package of the project, so that no room can come
// to depend on how it is watched. It collects no metrics of its own.
//
// The order of calls: New, Listen, Serve in a goroutine of the caller's, Shutdown. Goroutines are those of net/http, one
// per connection; Serve returns when they have ended or Shutdown has given up on them.
package admin
