package natsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/faultlink"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// TestReconnectSaysWhy: a file that vanishes while a program runs is named by its
// health and its log, and a server that is away by both.
func TestReconnectSaysWhy(t *testing.T) {
	ca := newAuthority(t, time.Now().AddDate(1, 0, 0))
	url := tlsServer(t, ca, time.Now().AddDate(1, 0, 0), new(tls.Config))
	_, address, _ := strings.Cut(url, "://")
	l, log, file := faultlink.New(t, address), new(lines), ca.file(t.TempDir())
	c := connect(t, Options{URL: "tls://" + l.Addr(), Files: Files{TLSCA: file}, Log: log.logger()})
	if err := os.Remove(file); err != nil {
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
	ca.file(strings.TrimSuffix(file, "/ca.crt")) // it comes back
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
