//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// TestLateAnswers: what a call gives after its caller has left is wiped,
// whichever of them is first.
func TestLateAnswers(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, leavesFirst := range []bool{true, false} {
		p := &Provider{o: Options{Section: Section{TokenLabel: "t"}}}
		f := &call{began: time.Now()}
		secret := []byte{1, 2, 3}
		if leavesFirst {
			_ = p.abandon(over, f)
			f.finish(secret, nil)
		} else {
			f.finish(secret, nil)
			_ = p.abandon(over, f)
		}
		if secret[0]|secret[1]|secret[2] != 0 {
			t.Errorf("leaves first %t: %v is still there", leavesFirst, secret)
		}
	}
}

// TestNoneStartsAfterClose: a caller who was on the way in when the provider
// was closed does not get into a library that is being finalised.
func TestNoneStartsAfterClose(t *testing.T) {
	f, p, _ := hangable(t, 1)
	signed := f.count("C_Sign")
	p.calls.close()
	for range 2 { // the place is given back
		if err := trySign(t.Context(), p); !errors.Is(err, keyprovider.ErrClosed) {
			t.Fatal(err)
		}
	}
	if f.count("C_Sign") != signed {
		t.Fatal("signed")
	}
}
