package redistest

import (
	"errors"
	"time"
)

// ErrNoServer is wrapped by the error of a launch that found no redis-server to start.
var ErrNoServer = errors.New("no redis-server to start: install it (Debian, Ubuntu: apt-get install redis-server) or put it in PATH")

// Config describes a cluster or server to launch. The zero value is a cluster of three primaries with a replica each.
type Config struct {
	Primaries   int           // number of primaries; 0: 3
	Replicas    int           // replicas of each primary; 0: 1, negative: none
	NodeTimeout time.Duration // cluster-node-timeout of real nodes while none is awaited; 0: 30 s
	Databases   int           // how many a fake node has; 0: 1, and SELECT is refused
	Password    string        // requirepass and masterauth; empty: none
	Host        string        // IP address to listen on and to announce; empty: 127.0.0.1
	Binary      string        // the server's program; empty: redis-server, found in PATH
	Dir         string        // where real nodes keep their files; empty: a temporary directory that Close removes
	Conf        []string      // further redis.conf lines ("name value") of real nodes; they win over those of the package
}

func (cfg Config) withDefaults() Config {
	if cfg.Primaries <= 0 {
		cfg.Primaries = 3
	}
	if cfg.Replicas == 0 {
		cfg.Replicas = 1
	}
	cfg.Replicas = max(cfg.Replicas, 0)
	if cfg.NodeTimeout <= 0 {
		cfg.NodeTimeout = usualNodeTimeout
	}
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	if cfg.Binary == "" {
		cfg.Binary = "redis-server"
	}
	return cfg
}

// Option changes the Config of StartCluster or StartFakeCluster.
type Option func(*Config)

// Primaries sets the number of primaries.
func Primaries(n int) Option { return func(cfg *Config) { cfg.Primaries = n } }

// Replicas sets the number of replicas of each primary; 0 means none.
func Replicas(perPrimary int) Option {
	return func(cfg *Config) {
		cfg.Replicas = perPrimary
		if perPrimary == 0 {
			cfg.Replicas = -1
		}
	}
}

// NodeTimeout sets cluster-node-timeout: how long a node must be silent until the others fail it over.
func NodeTimeout(d time.Duration) Option { return func(cfg *Config) { cfg.NodeTimeout = d } }

// Password sets the default user's password, which replicas use as well.
func Password(p string) Option { return func(cfg *Config) { cfg.Password = p } }

// Host sets the IP address to listen on and to announce, e.g. "::1".
func Host(ip string) Option { return func(cfg *Config) { cfg.Host = ip } }

// Conf adds lines of redis.conf, each "name value". They win over the lines that the package writes itself.
func Conf(lines ...string) Option {
	return func(cfg *Config) { cfg.Conf = append(cfg.Conf, lines...) }
}

func configOf(opts []Option) Config {
	var cfg Config
	for _, opt := range opts {
		opt(&cfg)
	}
	return cfg
}
