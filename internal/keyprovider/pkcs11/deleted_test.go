//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestDeletedToken: another process deletes the token, and later restores it
// from its backup, while the provider stays open.
func TestDeletedToken(t *testing.T) {
	for _, derivation := range []string{HMAC, ECDH} {
		t.Run(derivation, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", derivation)
			h.Token(t, "spare")
			restore := h.Backup(t, token)
			p := mustOpen(t, o)
			mustWork(t, p)
			before, err := p.Derive(t.Context(), []byte("label"))
			if err != nil {
				t.Fatal(err)
			}

			h.Delete(t, "node-0")
			wants(t, p.Probe(t.Context()), keyprovider.Unavailable, "node-0", "softhsm2-util --show-slots")
			for range 2 { // by connecting again, then from memory
				wants(t, p.Probe(t.Context()), keyprovider.NotFound, `token "node-0"`, "no such token", `"spare"`, "softhsm2-util --show-slots")
			}
			wants(t, trySign(t.Context(), p), keyprovider.NotFound, "no such token")
			time.Sleep(dialPause)
			wants(t, trySign(t.Context(), p), keyprovider.NotFound, "no such token")

			restore()
			eventually(t, "the token is back", func() error { return trySign(t.Context(), p) })
			mustWork(t, p)
			if after, err := p.Derive(t.Context(), []byte("label")); err != nil || after != before {
				t.Fatalf("the derived value changed: %v", err)
			}
			if err := p.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			mustClose(t, p)
		})
	}
}

// TestDeletedTokenUnderLoad: as above, with callers all the time.
func TestDeletedTokenUnderLoad(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	restore := h.Backup(t, token)
	p := mustOpen(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				_ = trySign(ctx, p)
				_, _ = p.Derive(ctx, []byte("x"))
				time.Sleep(time.Millisecond)
			}
		})
	}
	for range 2 {
		time.Sleep(50 * time.Millisecond)
		h.Delete(t, "node-0")
		eventually(t, "the loss is noticed", func() error {
			if err := trySign(ctx, p); keyprovider.ReasonOf(err) != keyprovider.NotFound {
				return context.DeadlineExceeded
			}
			return nil
		})
		restore()
		eventually(t, "the token is back", func() error { return trySign(ctx, p) })
	}
	cancel()
	all.Wait()
	mustClose(t, p)
}

// TestDeletedTokenBesideAnother: the library is not initialised again while
// another token of it is in use, which goes on undisturbed. Once that is
// closed the lost one comes back.
func TestDeletedTokenBesideAnother(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	_, other := provisioned(t, h, "node-1", "")
	restore := h.Backup(t, token)
	p, bystander := mustOpen(t, o), mustOpen(t, other)
	mustWork(t, p)
	h.Delete(t, "node-0")
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	wants(t, trySign(t.Context(), p), keyprovider.NotFound, "other tokens of the library are in use", "restart")
	mustWork(t, bystander)
	restore()
	time.Sleep(dialPause)
	wants(t, trySign(t.Context(), p), keyprovider.NotFound)
	mustWork(t, bystander)
	mustClose(t, bystander)
	eventually(t, "the token is back", func() error { return trySign(t.Context(), p) })
}

// TestTwoProvidersOfALostToken: both come back, though the one that notices
// the loss can't know that the other is lost too.
func TestTwoProvidersOfALostToken(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	restore := h.Backup(t, token)
	q, p := mustOpen(t, o), mustOpen(t, o) // p's next session will have the number of q's
	mustWork(t, p)
	h.Delete(t, "node-0")
	wants(t, trySign(t.Context(), p), keyprovider.Unavailable)
	wants(t, trySign(t.Context(), p), keyprovider.NotFound)
	restore()
	eventually(t, "p is back", func() error { return trySign(t.Context(), p) })
	for _, provider := range []*Provider{q, p} { // q knows, and leaves p's new sessions alone
		if err := trySign(t.Context(), provider); err != nil {
			t.Fatal(err)
		}
	}
	if p.conn.generation != q.conn.generation {
		t.Fatal("q uses sessions of before the initialisation")
	}
}

// TestDeletedKey: the token is there, one of its keys no more.
func TestDeletedKey(t *testing.T) {
	for label, class := range map[string]string{identityLabel: "privkey", derivationLabel: "secrkey"} {
		t.Run(label, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", "")
			p := mustOpen(t, o)
			mustWork(t, p)
			deleteObject(t, h, token, class, label)
			wants(t, p.Probe(t.Context()), keyprovider.Unavailable, label)
			err := p.Probe(t.Context())
			wants(t, err, keyprovider.NotFound, label, "frost-worker provision")
			if errors.Is(err, keyprovider.ErrCannotDerive) {
				t.Fatal("passes for a token that never could derive")
			}
		})
	}
}

// deleteObject does it from another process: this test binary, as SoftHSM has
// no tool for it.
func deleteObject(t *testing.T, h *softhsm.HSM, token softhsm.Token, class, label string) {
	t.Helper()
	out, err := child(t, h, "delete", token, class, label)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestSupervised: as a worker has it, an idle provider notices within a probe
// that its token was deleted, tells why, and works again once it is back.
func TestSupervised(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	restore := h.Backup(t, token)
	p, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	hard := keyprovider.Supervise(p, keyprovider.Policy{Name: "pkcs11", ProbeEvery: 100 * time.Millisecond, Cooldown: 200 * time.Millisecond}, nil)
	mustWork(t, hard)
	ctx, cancel := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { hard.Watch(ctx) })
	h.Delete(t, "node-0")
	eventually(t, "the loss is told", func() error {
		if err := hard.Ready(); keyprovider.CauseOf(err) != keyprovider.NotFound {
			return fmt.Errorf("not told yet: %w", err)
		}
		return nil
	})
	wants(t, hard.Ready(), keyprovider.NotFound, "fails since", `token "node-0"`, "no such token", "softhsm2-util --show-slots")
	restore()
	eventually(t, "the token is back", hard.Ready)
	mustWork(t, hard)
	cancel()
	watch.Wait()
	if err := hard.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOtherKeys: a token with the right label comes back with other keys.
func TestOtherKeys(t *testing.T) {
	for _, lost := range []string{identityLabel, derivationLabel} {
		t.Run(lost, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", "")
			p := mustOpen(t, o)
			mustWork(t, p)
			class := map[string]string{identityLabel: "pair", derivationLabel: "secrkey"}[lost]
			if out, err := child(t, h, "replace", token, class, lost); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			wants(t, trySignAndDerive(t.Context(), p), keyprovider.Unavailable)
			wants(t, trySignAndDerive(t.Context(), p), keyprovider.WrongKey, lost, "before")
		})
	}
}

func trySignAndDerive(ctx context.Context, p *Provider) error {
	if err := trySign(ctx, p); err != nil {
		return err
	}
	_, err := p.Derive(ctx, []byte("x"))
	return err
}

// child runs TestChild in another process.
func child(t *testing.T, h *softhsm.HSM, args ...any) ([]byte, error) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestChild$")
	cmd.Env = append(cmd.Environ(), append(h.Env(), childEnv(args)...)...)
	return cmd.CombinedOutput()
}
