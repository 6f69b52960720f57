//go:build cgo

package pkcs11

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestTurmoil: callers with little brief, a library that fails and dawdles
// at random, and a Close in the middle of it. Nothing races, no bad signature
// comes out, and nothing is left behind.
func TestTurmoil(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	// Of C_Login, only answers that don't touch the PIN: after two that may, it is not tried again, as it should be.
	aside := []uint{p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_HOST_MEMORY}
	all := append(slices.Clone(aside), p11.CKR_DEVICE_ERROR, p11.CKR_VENDOR_DEFINED+1, p11.CKR_USER_NOT_LOGGED_IN)
	trouble := func(rvs []uint) func(int) error {
		return func(int) error {
			switch n := rand.IntN(40); {
			case n < len(rvs):
				return p11.Error(rvs[n])
			case n < 2*len(rvs):
				time.Sleep(time.Duration(n) * time.Millisecond)
			}
			return nil
		}
	}
	p := mustOpenWith(t, o, f.load)
	for _, function := range []string{"C_SignInit", "C_Sign", "C_OpenSession", "C_CloseSession", "C_GetTokenInfo"} {
		f.failWith(function, trouble(all))
	}
	f.failWith("C_Login", trouble(aside))
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(20))*time.Millisecond)
				_ = trySignAndDerive(ctx, p)
				_ = p.Probe(ctx)
				cancel()
			}
		})
	}
	time.Sleep(2 * time.Second)
	f.release()
	eventually(t, "peace", func() error { return trySignAndDerive(t.Context(), p) })
	mustClose(t, p)
	close(stop)
	callers.Wait()
	if isReady(p.mod) {
		t.Fatal("the library was not finalised")
	}
}
