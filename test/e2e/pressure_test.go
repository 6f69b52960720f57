package e2e_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// A client that floods is told "busy, retry after", and everything that it was
// told is stored gets its signatures.
func TestFloodLosesNothing(t *testing.T) {
	f := fleettest.StartProcesses(t, fleettest.Options{})
	c := f.Client()
	key := oneKey(t, c)
	var taken []*client.Handle[client.SignResult]
	busy := 0
	for i := range 1500 {
		h, err := c.SubmitSign(t.Context(), client.SignRequest{Items: []client.SignItem{message(key, i)}})
		var told *client.BusyError
		switch {
		case err == nil:
			taken = append(taken, h)
		case errors.As(err, &told) && told.RetryAfter > 0:
			busy++
		default:
			t.Fatal(err)
		}
		if i == 0 { // nobody works jobs off for a while
			f.Signal(fleettest.GatewayName, syscall.SIGSTOP)
		}
	}
	if busy == 0 {
		t.Fatalf("nobody was told to come again, %d jobs were taken", len(taken))
	}
	f.Signal(fleettest.GatewayName, syscall.SIGCONT)
	for _, h := range taken {
		if _, err := h.Wait(t.Context()); err != nil {
			t.Fatalf("a job that was taken: %v", err)
		}
	}
	t.Logf("%d jobs were taken and answered, %d turned away", len(taken), busy)
}

// While a worker stands still, key generation waits for it, and signatures by the
// others go on. Once it moves, all that was asked for is there.
func TestSlowWorkerSlowsItsBatches(t *testing.T) {
	f := fleettest.StartProcesses(t, fleettest.Options{})
	c := f.Client()
	key := oneKey(t, c)
	f.Signal(fleettest.NodeName(1), syscall.SIGSTOP)
	var wg sync.WaitGroup
	defer wg.Wait()
	done := make(chan error, 1)
	wg.Go(func() {
		r, err := c.Keygen(t.Context(), client.KeygenRequest{Chain: "bitcoin", Count: 8000})
		if err == nil && len(r.Keys) != 8000 {
			err = fmt.Errorf("%d keys", len(r.Keys))
		}
		done <- err
	})
	for i := range 20 {
		if _, err := c.Sign(t.Context(), client.SignRequest{Items: []client.SignItem{message(key, i)}}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-done:
		t.Fatalf("keys without node 1: %v", err)
	default:
	}
	f.Signal(fleettest.NodeName(1), syscall.SIGCONT)
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("no keys five minutes after the worker went on")
	}
}

func oneKey(t *testing.T, c *client.Client) client.Key {
	t.Helper()
	r, err := c.Keygen(t.Context(), client.KeygenRequest{Chain: "bitcoin", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r.Keys[0]
}

func message(key client.Key, i int) client.SignItem {
	hash := sha256.Sum256(fmt.Append(nil, i))
	return client.SignItem{Key: key.ID, PublicKey: key.PublicKey, Message: hash[:]}
}
