// Package telemetry is what an operator sees of a program: health, metrics
// and logs.
package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one condition of readiness; its error is the reason why not.
type Check struct {
	Name string
	Fail func() error
}

// maxScrapes is how many scrapes are answered at once. They share one look at the
// metrics.
const maxScrapes = 64

// Server answers /livez (the process runs), /readyz (every check passes) and
// /metrics.
type Server struct {
	listener net.Listener
	http     *http.Server
	done     chan error
}

// Listen binds host:port (port 0: any free one) and serves until Shutdown. It
// registers the checks as metrics too.
func Listen(host string, port int, registry *prometheus.Registry, checks []Check, log *slog.Logger) (*Server, error) {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("[server] host and port: %w: "+
			"another program has the port, or this host has no such address", err)
	}
	if err := registry.Register(readiness(checks)); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /readyz", readyz(checks))
	mux.Handle("GET /metrics", promhttp.HandlerFor(&together{Gatherer: registry}, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes, Timeout: 10 * time.Second,
		EnableOpenMetrics: true,                     // for exemplars
		ErrorHandling:     promhttp.ContinueOnError, // one metric that can't be read must not hide the others
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}))
	s := &Server{listener: listener, done: make(chan error, 1), http: &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 14,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Shutdown lets requests under way finish until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// answer is the body of /readyz.
type answer struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"` // "ok", or why not
}

// ask looks at every check once.
func ask(checks []Check) answer {
	a := answer{Ready: true, Checks: map[string]string{}}
	for _, c := range checks {
		a.Checks[c.Name] = passed
		if err := c.Fail(); err != nil {
			a.Ready, a.Checks[c.Name] = false, err.Error()
		}
	}
	return a
}

// passed is what a check says that does not fail.
const passed = "ok"

// readiness gives the answer of /readyz as metrics.
func readiness(checks []Check) collector {
	ready := desc("frostfleet_ready", "1 while every check of readiness passes.")
	check := desc("frostfleet_check", "1 while a check of readiness passes; /readyz tells why one does not.", "check")
	return func(out chan<- prometheus.Metric) {
		a := ask(checks)
		out <- prometheus.MustNewConstMetric(ready, prometheus.GaugeValue, boolGauge(a.Ready))
		for name, said := range a.Checks {
			out <- prometheus.MustNewConstMetric(check, prometheus.GaugeValue, boolGauge(said == passed), name)
		}
	}
}

func readyz(checks []Check) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		a := ask(checks)
		w.Header().Set("Content-Type", "application/json")
		if !a.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(a)
	}
}
