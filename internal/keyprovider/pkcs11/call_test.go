//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// TestLateAnswers: what a call gives after its caller has left is wiped.
func TestLateAnswers(t *testing.T) {
	p := &Provider{o: Options{Section: Section{TokenLabel: "t"}}}
	p.life, p.end = context.WithCancel(t.Context())
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		secret := []byte{1, 2, 3}
		out, err := p.run(ctx, "call", "key", func(*call) ([]byte, error) { cancel(); return secret, nil }, func() {})
		p.underWay.Wait()
		if err == nil && out[0] != 1 || err != nil && (out != nil || secret[0]|secret[1]|secret[2] != 0) {
			t.Fatalf("%v, %v: %v is there", out, err, secret)
		}
	}
	leave, cancel := context.WithCancel(t.Context())
	secret, goOn := []byte{1, 2, 3}, make(chan struct{})
	cancel()
	_, err := p.run(leave, "call", "key", func(*call) ([]byte, error) { <-goOn; return secret, nil }, func() {})
	wants(t, err, keyprovider.Canceled)
	close(goOn)
	p.underWay.Wait()
	if secret[0]|secret[1]|secret[2] != 0 {
		t.Errorf("%v is still there", secret)
	}
}

// TestNoneStartsAfterClose: a caller who was on the way in when the provider
// was closed does not get into a library that is being finalised, and gives
// back what it held.
func TestNoneStartsAfterClose(t *testing.T) {
	_, p, _ := hangable(t, 1)
	mustClose(t, p)
	ended := false
	_, err := p.run(t.Context(), "call", "key", func(*call) ([]byte, error) { t.Error("it started"); return nil, nil },
		func() { ended = true })
	if !errors.Is(err, keyprovider.ErrClosed) || !ended {
		t.Fatalf("%v, ended %t", err, ended)
	}
}
