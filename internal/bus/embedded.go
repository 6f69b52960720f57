package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// EmbeddedConfig says how to run a NATS server within this process.
type EmbeddedConfig struct {
	StoreDir string // holds the streams; one process at a time
	Host     string // 127.0.0.1 if empty: there are no credentials
	Port     int    // -1: any free one; 0: no socket, in-process connections only

	// SyncAlways has every acknowledged message on disk. Without it, up to two
	// minutes of acknowledged messages are lost if the machine stops.
	SyncAlways bool

	Logger *slog.Logger // nil: silent
}

// EmbeddedServer is a nats-server with JetStream in this process.
type EmbeddedServer struct {
	server *server.Server
	lock   *flock.Flock
	listen bool
	once   sync.Once
}

// Limits of the embedded server. They are limits, nothing is set aside.
const (
	embeddedMemory = 8 << 30
	embeddedStore  = 1 << 40
	startTimeout   = 60 * time.Second // a large store takes long to open
)

// StartEmbedded runs a server until Shutdown. It handles no signals and
// locks its store.
func StartEmbedded(c EmbeddedConfig) (*EmbeddedServer, error) {
	if c.StoreDir == "" {
		return nil, errors.New("bus: embedded NATS server: store_path is empty: name a folder for the streams")
	}
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(c.StoreDir, 0o700); err != nil {
		return nil, fmt.Errorf("bus: embedded NATS server: %w", err)
	}
	lock, err := lockStore(c.StoreDir)
	if err != nil {
		return nil, err
	}
	s, err := startServer(c)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &EmbeddedServer{server: s, lock: lock, listen: c.Port != 0}, nil
}

func startServer(c EmbeddedConfig) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName:             "frostfleet-embedded",
		Host:                   c.Host,
		Port:                   c.Port,
		DontListen:             c.Port == 0,
		MaxPayload:             MaxPayload,
		JetStream:              true,
		StoreDir:               c.StoreDir,
		SyncAlways:             c.SyncAlways,
		JetStreamMaxMemory:     embeddedMemory,
		JetStreamMaxStore:      embeddedStore,
		NoSigs:                 true,
		NoLog:                  true,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("bus: embedded NATS server: %w", err)
	}
	log := newServerLog(c.Logger)
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	if !isReady(s, log) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("bus: embedded NATS server did not start: %s", log.lastError())
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
func (e *EmbeddedServer) URL() string {
	if !e.listen {
		return ""
	}
	return e.server.ClientURL()
}

// Shutdown stops the server and waits until its store is closed. Idempotent.
func (e *EmbeddedServer) Shutdown() {
	e.once.Do(func() {
		e.server.Shutdown()
		e.server.WaitForShutdown()
		_ = e.lock.Unlock() // ends with the process at the latest
	})
}

// lockStore keeps a second server off the same files: two would destroy them.
func lockStore(dir string) (*flock.Flock, error) {
	path, holder := filepath.Join(dir, "frostfleet.lock"), filepath.Join(dir, "frostfleet.holder")
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("bus: locking %s: %w", path, err)
	}
	if !ok {
		return nil, fmt.Errorf("bus: the NATS store %s is in use by %s: stop that process, or give this one another store_path",
			dir, readHolder(holder))
	}
	text := "process " + strconv.Itoa(os.Getpid()) + " since " + time.Now().UTC().Format(time.RFC3339) + "\n"
	if err := os.WriteFile(holder, []byte(text), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("bus: %w", err), lock.Unlock())
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
