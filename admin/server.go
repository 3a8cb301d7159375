package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// headerTimeout bounds how long a client may take to send a request's header. There is no limit for a reply: a profile
// takes as long as it was asked to.
const headerTimeout = 10 * time.Second

// Config says where to listen and whom to ask. The functions are called from many goroutines at a time. Each of them may
// be nil: its page then does not exist, and a proxy without Ready is always ready.
type Config struct {
	// Addr is where Listen listens, host:port.
	Addr string

	// Gatherer is asked for every scrape of /metrics.
	Gatherer prometheus.Gatherer

	// Ready reports whether clients can be served; detail says why not, or how well, in one line.
	Ready func() (ok bool, detail string)

	// Status writes the page /status as text.
	Status func(w io.Writer)

	// GetVerbosity returns the log's verbosity as text that SetVerbosity understands.
	GetVerbosity func() string

	// SetVerbosity changes the log's verbosity. Its error is the client's: the text is sent with status 400.
	SetVerbosity func(string) error
}

// Server answers the operator's requests. Its methods are safe for concurrent use; it serves once.
type Server struct {
	// Set at construction.
	cfg  Config
	http http.Server
	down chan struct{} // closed when Shutdown is done
}

// New returns a Server that does nothing yet.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, down: make(chan struct{})}
	s.http.Handler = s.routes()
	s.http.ReadHeaderTimeout = headerTimeout
	return s
}

// Listen opens Config.Addr. The listener is the caller's until it is given to Serve.
func (s *Server) Listen() (net.Listener, error) {
	return net.Listen("tcp", s.cfg.Addr)
}

// Serve answers requests that arrive at l, which it closes at the end. It returns nil after Shutdown, when the requests in
// progress have ended or were cut off, else the error that ended it.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		<-s.down
		return nil
	}
	return err
}

// Shutdown stops accepting, waits for requests in progress and cuts off those that are still there when ctx ends; then it
// returns ctx's error. It is to be called once, also if Serve never was.
func (s *Server) Shutdown(ctx context.Context) error {
	defer close(s.down)
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	return err
}
