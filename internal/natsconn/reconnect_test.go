package natsconn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/freeport"
)

// TestReconnectSaysWhy: credentials that vanish while a program runs are named by its
// health and its log.
func TestReconnectSaysWhy(t *testing.T) {
	url, user := operated(t)
	log, file := new(lines), user(time.Now().AddDate(1, 0, 0))
	c := connect(t, Options{URL: url, Files: Files{Credentials: file}, Log: log.logger()})
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if err := c.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reason", func() bool {
		err := c.Healthy()
		return err != nil && errors.Is(err, ErrDisconnected) && strings.Contains(err.Error(), file)
	})
	eventually(t, "the reason in the log", func() bool { return strings.Contains(log.String(), file) })
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a connection", func() bool { return c.Healthy() == nil })
}

// TestConnectSaysWhy: who waits for a first connection is told what for.
func TestConnectSaysWhy(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	port, said := freeport.New(t), make(chan error, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := Connect(ctx, Options{URL: fmt.Sprintf("nats://127.0.0.1:%d", port), Waiting: func(err error) {
			select {
			case said <- err:
			default:
			}
		}})
		if err == nil {
			c.Close()
		}
	}()
	if err := <-said; err == nil || !strings.Contains(err.Error(), "check the address, and that the server runs") {
		t.Errorf("said %v", err)
	}
	cancel()
	<-done
}
