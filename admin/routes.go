package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxLevelBytes bounds the body of PUT /loglevel.
const maxLevelBytes = 4 << 10

// page is one line of the index.
type page struct{ path, about string }

// routes registers the pages whose functions were given, and an index of them.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	pages := []page{
		{"/healthz", "200 while the process lives"},
		{"/readyz", "200 when clients can be served, else 503 with the reason"},
	}
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	if s.cfg.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Gatherer, promhttp.HandlerOpts{}))
		pages = append(pages, page{"/metrics", "metrics for Prometheus"})
	}
	if s.cfg.Status != nil {
		mux.HandleFunc("GET /status", s.status)
		pages = append(pages, page{"/status", "what the proxy is doing"})
	}
	if s.cfg.GetVerbosity != nil {
		mux.HandleFunc("GET /loglevel", s.getLogLevel)
		pages = append(pages, page{"/loglevel", "the log's verbosity; PUT the same text to change it"})
	}
	if s.cfg.SetVerbosity != nil {
		mux.HandleFunc("PUT /loglevel", s.putLogLevel)
	}
	pages = append(pages, page{"/debug/pprof/", "profiles"})
	handleProfiles(mux)
	mux.HandleFunc("GET /{$}", index(pages))
	return mux
}

// handleProfiles registers what net/http/pprof registers at the default mux, which is served nowhere.
func handleProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof posts the addresses it wants named
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

func index(pages []page) http.HandlerFunc {
	var text strings.Builder
	for _, p := range pages {
		fmt.Fprintf(&text, "%-16s%s\n", p.path, p.about)
	}
	return func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, text.String()) }
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "ok\n")
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	ok, detail := true, ""
	if s.cfg.Ready != nil {
		ok, detail = s.cfg.Ready()
	}
	status, word := http.StatusOK, "ready"
	if !ok {
		status, word = http.StatusServiceUnavailable, "not ready"
	}
	if detail != "" {
		word += ": " + detail
	}
	writeText(w, status, word+"\n")
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "")
	s.cfg.Status(w)
}

func (s *Server) getLogLevel(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, strings.TrimRight(s.cfg.GetVerbosity(), "\n")+"\n")
}

func (s *Server) putLogLevel(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevelBytes))
	if err != nil {
		writeText(w, http.StatusBadRequest, err.Error()+"\n")
		return
	}
	if err := s.cfg.SetVerbosity(strings.TrimSpace(string(body))); err != nil {
		writeText(w, http.StatusBadRequest, err.Error()+"\n")
		return
	}
	if s.cfg.GetVerbosity == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s.getLogLevel(w, r)
}

// writeText starts a text reply that nobody caches, and nobody takes for HTML.
func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a client that has gone is no concern
}
