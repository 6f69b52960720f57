// Package natsserver is a NATS server with JetStream inside this process, for
// small fleets, development and tests. Only programs that embed a server import
// it: nats-server is large, and a worker has no use for one.
package natsserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// Config says how to run a NATS server within this process.
type Config struct {
	StoreDir string // holds the streams; one process at a time
	Port     int    // -1: any free one; 0: no socket, in-process connections only

	// SyncAlways has every acknowledged message on disk. Without it, up to two
	// minutes of acknowledged messages are lost if the machine stops.
	SyncAlways bool

	Logger *slog.Logger // nil: silent
}

// Server is a running server. It implements natsconn.Server.
type Server struct {
	server *server.Server
	lock   *flock.Flock
	listen bool
	once   sync.Once
}

// Limits of the embedded server. They are limits, nothing is set aside.
const (
	maxMemory    = 8 << 30
	maxStore     = 1 << 40
	startTimeout = 60 * time.Second // a large store takes long to open
)

// Start runs a server until Shutdown. It handles no signals and
// locks its store.
func Start(c Config) (*Server, error) {
	if c.StoreDir == "" {
		return nil, errors.New("embedded NATS server: store_path is empty: name a folder for the streams")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(c.StoreDir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	lock, err := lockStore(c.StoreDir)
	if err != nil {
		return nil, err
	}
	s, err := startServer(c)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &Server{server: s, lock: lock, listen: c.Port != 0}, nil
}

// Embed starts the server that a gateway's configuration asks for: on files,
// every write synced, loopback only.
func Embed(store string, port int, log *slog.Logger) (natsconn.Server, error) {
	s, err := Start(Config{StoreDir: store, Port: port, SyncAlways: true, Logger: log})
	if err != nil {
		return nil, err // not s, which is a *Server
	}
	return s, nil
}

func startServer(c Config) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName:             "frostfleet-embedded",
		Host:                   "127.0.0.1", // there are no credentials
		Port:                   c.Port,
		DontListen:             c.Port == 0,
		MaxPayload:             natsconn.MaxPayload,
		JetStream:              true,
		StoreDir:               c.StoreDir,
		SyncAlways:             c.SyncAlways,
		JetStreamMaxMemory:     maxMemory,
		JetStreamMaxStore:      maxStore,
		NoSigs:                 true,
		NoLog:                  true,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	log := newServerLog(c.Logger)
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	if !isReady(s, log) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("embedded NATS server did not start: %s", log.lastError())
	}
	return s, nil
}

// isReady waits until the server serves or gave up.
func isReady(s *server.Server, log *serverLog) bool {
	ready := make(chan bool, 1)
	go func() { ready <- s.ReadyForConnections(startTimeout) && s.JetStreamEnabled() }()
	select {
	case ok := <-ready:
		return ok
	case <-log.fatal:
		return false
	}
}

// URL is where other processes connect; empty without a socket.
func (s *Server) URL() string {
	if !s.listen {
		return ""
	}
	return s.server.ClientURL()
}

// InProcessConn is a connection without a socket.
func (s *Server) InProcessConn() (net.Conn, error) { return s.server.InProcessConn() }

// Limits are how many bytes streams may take.
func (s *Server) Limits() (memory, file int64) { return maxMemory, maxStore }

// Shutdown stops the server and waits until its store is closed. Idempotent.
func (s *Server) Shutdown() {
	s.once.Do(func() {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		_ = s.lock.Unlock() // ends with the process at the latest
	})
}

// lockStore keeps a second server off the same files: two would destroy them.
func lockStore(dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, "frostfleet.lock") // with its holder in it
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	if !ok {
		return nil, fmt.Errorf("the NATS store %s is in use by %s: stop that process, "+
			"or give this one another store_path", dir, readHolder(path))
	}
	text := "process " + strconv.Itoa(os.Getpid()) + " since " + time.Now().UTC().Format(time.RFC3339) + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("%w", err), lock.Unlock())
	}
	return lock, nil
}

func readHolder(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 || len(text) > 128 {
		return "another process"
	}
	return strings.TrimSpace(string(text))
}
