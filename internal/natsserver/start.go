package natsserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A large store takes long to open, and the server says which stream it is at. It may
// be at one for startTimeout.
const (
	startTimeout = 10 * time.Minute
	startNews    = 5 * time.Second  // how often a start that takes long is logged
	stopTime     = 10 * time.Second // for a server that is given up
)

// errStillAtIt: the server does not stop; the end of the process ends it.
var errStillAtIt = errors.New("it does not stop either, and has the store until this process ends")

// await starts a server and waits until it serves, fails, or is at one thing for too
// long. Start itself reads the whole store.
func await(ctx context.Context, s *server.Server, log *serverLog) error {
	ready := make(chan bool, 1)
	go func() {
		s.Start()
		ready <- s.ReadyForConnections(time.Minute) && s.JetStreamEnabled()
	}()
	news, begun := time.NewTicker(startNews), time.Now()
	defer news.Stop()
	for {
		select {
		case ok := <-ready:
			if ok {
				return nil
			}
			return errors.New(log.lastError())
		case <-log.fatal:
			return errors.New(log.lastError())
		case <-ctx.Done():
			step, since := log.doing()
			return fmt.Errorf("%w: for %v it was at: %s", ctx.Err(), since.Round(time.Second), step)
		case <-news.C:
			step, since := log.doing()
			log.log.Warn("embedded NATS server is still starting", "for", time.Since(begun).Round(time.Second),
				"at", step, "since", since.Round(time.Second))
			if since > startTimeout {
				return fmt.Errorf("for %v it was at: %s: is a file of that stream damaged? Restore it from a backup",
					since.Round(time.Second), step)
			}
		}
	}
}

// stop ends a server that did not start.
func stop(s *server.Server) error {
	stopped := make(chan struct{})
	go func() {
		s.Shutdown()
		s.WaitForShutdown()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-time.After(stopTime):
		return errStillAtIt
	}
}
