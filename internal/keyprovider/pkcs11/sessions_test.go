//go:build cgo

package pkcs11

import (
	"context"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// fewSessions has a token that gives out so many.
func fewSessions(t *testing.T, most int) (*faulty, *Provider) {
	t.Helper()
	f, p, _ := hangable(t, 4)
	f.failWith("C_OpenSession", func(int) error {
		if f.openSessions() >= most {
			return p11.Error(p11.CKR_SESSION_COUNT)
		}
		return nil
	})
	return f, p
}

// TestOneSession: callers wait for the one session that a token has.
func TestOneSession(t *testing.T) {
	_, p := fewSessions(t, 1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if err := trySign(t.Context(), p); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestOneSessionIsBusy: who waits for it leaves in time.
func TestOneSessionIsBusy(t *testing.T) {
	f, p := fewSessions(t, 1)
	f.block("C_Sign")
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- trySign(ctx, p) }()
	eventually(t, "the session is lent", func() error {
		if p.calling() == 0 {
			return context.Canceled
		}
		return nil
	})
	wants(t, signBriefly(t, p), keyprovider.Timeout)
	cancel()
	wants(t, <-first, keyprovider.Canceled)
	f.release()
	eventually(t, "it works", func() error { return trySign(t.Context(), p) })
}

// TestOneSessionHangs: nobody waits for it.
func TestOneSessionHangs(t *testing.T) {
	f, p := fewSessions(t, 1)
	f.block("C_Sign")
	wants(t, signBriefly(t, p), keyprovider.Timeout)
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable, "1 calls", "hang", "restart frost-worker")
	f.release() // before the library is finalised
	eventually(t, "it works", func() error { return trySign(t.Context(), p) })
}

// TestLostWhileWaiting: who waits for a session of a connection that is lost
// is told so.
func TestLostWhileWaiting(t *testing.T) {
	f, p := fewSessions(t, 1)
	f.failWith("C_SignInit", func(int) error {
		time.Sleep(brief) // so that the others wait by then
		return p11.Error(p11.CKR_DEVICE_REMOVED)
	})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := trySign(t.Context(), p); keyprovider.ReasonOf(err) != keyprovider.Unavailable {
				t.Error(err)
			}
		})
	}
	all.Wait()
	f.release()
	eventually(t, "it works", func() error { return trySign(t.Context(), p) })
}
