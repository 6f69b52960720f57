package httpapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of connections.
const (
	maxConnections = 4096
	maxHeader      = 16 << 10 // bytes
	http2Streams   = 250      // of one HTTP/2 connection
	headerTime     = 5 * time.Second
	idleTime       = time.Minute
	writeTime      = 2 * time.Minute // what takes longer sets its own
)

// TLS is what a listener shows and whom it believes; it may change while the listener runs.
// Nil: it has no TLS.
type TLS struct{ now atomic.Pointer[tls.Config] }

// NewTLS makes one of PEM texts; clientCA may be empty.
func NewTLS(cert, key, clientCA []byte) (*TLS, error) {
	t := &TLS{}
	return t, t.Set(cert, key, clientCA)
}

// Set replaces it for new connections, or changes nothing and says why.
func (t *TLS) Set(cert, key, clientCA []byte) error {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("http.tls_cert and http.tls_key: %w", err)
	}
	next := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"},
	}
	if len(clientCA) > 0 {
		next.ClientCAs = x509.NewCertPool()
		if !next.ClientCAs.AppendCertsFromPEM(clientCA) {
			return errors.New("http.client_ca: there is no certificate in PEM in it")
		}
		next.ClientAuth = tls.VerifyClientCertIfGiven
	}
	t.now.Store(next)
	return nil
}

func (t *TLS) config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.now.Load(), nil },
	}
}

// Listener serves one Server.
type Listener struct {
	listener net.Listener
	http     *http.Server
	api      *Server
	secure   bool
	done     chan struct{} // closed once served is set
	served   error
}

// Listen binds host:port (port 0: any free one) and serves until Shutdown.
func Listen(host string, port int, api *Server, t *TLS, log *slog.Logger) (*Listener, error) {
	socket, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("[http] host and port: %w: another program has the port, or this host has no such address",
			err)
	}
	l := &Listener{listener: socket, api: api, secure: t != nil, done: make(chan struct{}), http: &http.Server{
		Handler: api, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, WriteTimeout: writeTime,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		DisableGeneralOptionsHandler: true, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: http2Streams},
	}}
	bounded := netutil.LimitListener(socket, maxConnections)
	serve := func() error { return l.http.Serve(bounded) }
	if t != nil {
		l.http.TLSConfig = t.config()
		serve = func() error { return l.http.ServeTLS(bounded, "", "") }
	}
	go func() {
		defer close(l.done)
		l.served = serve()
	}()
	return l, nil
}

// URL is where the server answers.
func (l *Listener) URL() string {
	scheme := "http"
	if l.secure {
		scheme = "https"
	}
	return scheme + "://" + l.listener.Addr().String()
}

// Shutdown takes no further request, has those that wait answered as far as their jobs have
// come, and lets the others finish until ctx ends.
func (l *Listener) Shutdown(ctx context.Context) error {
	l.api.drain()
	err := l.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(err, l.http.Close())
	}
	if <-l.done; !errors.Is(l.served, http.ErrServerClosed) {
		err = errors.Join(err, l.served)
	}
	return err
}
