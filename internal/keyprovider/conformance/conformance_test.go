package conformance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// device is a right provider whose methods a test can spoil one by one.
type device struct {
	key    *ecdsa.PrivateKey
	prf    []byte
	closed atomic.Bool
	memory bool // Identity asks nobody
	sign   func(context.Context, [32]byte) ([]byte, error)
	derive func(context.Context, []byte) ([32]byte, error)
	close  func() error
}

func (d *device) begin(ctx context.Context) error {
	if d.closed.Load() {
		return keyprovider.ErrClosed
	}
	return ctx.Err()
}

func (d *device) Identity(ctx context.Context) (*ecdsa.PublicKey, error) {
	if d.memory {
		return &d.key.PublicKey, nil
	}
	return &d.key.PublicKey, d.begin(ctx)
}

func (d *device) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	if d.sign != nil {
		return d.sign(ctx, digest)
	}
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	return ecdsa.SignASN1(rand.Reader, d.key, digest[:])
}

func (d *device) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	if d.derive != nil {
		return d.derive(ctx, label)
	}
	if err := keyprovider.CheckLabel(label); err != nil {
		return [32]byte{}, err
	}
	return d.mac(label), d.begin(ctx)
}

func (d *device) mac(label []byte) [32]byte {
	mac := hmac.New(sha256.New, d.prf)
	mac.Write(label)
	return [32]byte(mac.Sum(nil))
}

func (d *device) Close() error {
	if d.close != nil {
		return d.close()
	}
	d.closed.Store(true)
	return nil
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// subject gives a right subject, with spoil applied to each provider opened.
func subject(t *testing.T, spoil func(*device)) Subject {
	open := func(key *ecdsa.PrivateKey, prf string) func() (keyprovider.Provider, error) {
		return func() (keyprovider.Provider, error) {
			d := &device{key: key, prf: []byte(prf)}
			if spoil != nil {
				spoil(d)
			}
			return d, nil
		}
	}
	return Subject{Open: open(newKey(t), "one"), OpenOther: open(newKey(t), "two"), Timeout: 10 * time.Second}
}

func TestRightProviderPasses(t *testing.T) { Run(t, subject(t, nil)) }

func TestProviderWithoutDerivationPasses(t *testing.T) {
	s := subject(t, func(d *device) {
		d.derive = func(context.Context, []byte) ([32]byte, error) { return [32]byte{}, keyprovider.ErrCannotDerive }
	})
	s.CannotDerive = true
	Run(t, s)
}

// TestFaultsAreFound runs each case against a provider that breaks it.
func TestFaultsAreFound(t *testing.T) {
	other := newKey(t)
	faults := []struct {
		name, caught, want string
		spoil              func(*device)
	}{
		{"another key signs", "Check", "does not verify", func(d *device) {
			d.sign = func(_ context.Context, h [32]byte) ([]byte, error) {
				return ecdsa.SignASN1(rand.Reader, other, h[:])
			}
		}},
		{"key on another curve", "Check", "not on P-256", func(d *device) {
			d.key, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		}},
		{"randomised derivation", "Check", "one label gave two values", func(d *device) {
			d.derive = func(context.Context, []byte) (out [32]byte, err error) { _, err = rand.Read(out[:]); return }
		}},
		{"constant derivation", "Check", "two labels gave one value", func(d *device) {
			d.derive = func(context.Context, []byte) ([32]byte, error) { return [32]byte{1}, nil }
		}},
		{"derivation lost at restart", "Derive", "after reopening", func(d *device) {
			d.prf = []byte(rand.Text())
		}},
		{"identity lost at restart", "Identity", "two keys", func(d *device) { d.key = newKey(t) }},
		{"hashes the digest again", "Sign", "does not verify", func(d *device) {
			d.sign = func(_ context.Context, h [32]byte) ([]byte, error) {
				h = sha256.Sum256(h[:])
				return ecdsa.SignASN1(rand.Reader, d.key, h[:])
			}
		}},
		{"label cut short", "DeriveLabels", "the same bytes", func(d *device) {
			d.derive = func(_ context.Context, l []byte) ([32]byte, error) { return d.mac(l[:min(64, len(l))]), nil }
		}},
		{"label not bounded", "DeriveLabels", "not ErrLabel", func(d *device) {
			d.derive = func(_ context.Context, l []byte) ([32]byte, error) { return d.mac(l), nil }
		}},
		{"one identity for all", "OtherKeys", "same identity", func(d *device) { d.key = other }},
		{"one derivation for all", "OtherDerivation", "same bytes", func(d *device) { d.prf = []byte("x") }},
		{"ErrCannotDerive undeclared", "CannotDerive", "CannotDerive is false", func(d *device) {
			d.derive = func(context.Context, []byte) ([32]byte, error) { return [32]byte{}, keyprovider.ErrCannotDerive }
		}},
		{"callers mixed up", "Concurrent", "another's", func(d *device) {
			var last atomic.Pointer[[]byte]
			d.sign = func(_ context.Context, h [32]byte) ([]byte, error) {
				sig, err := ecdsa.SignASN1(rand.Reader, d.key, h[:])
				if old := last.Swap(&sig); old != nil {
					return *old, err
				}
				return sig, err
			}
		}},
		{"context ignored", "Cancelled", "with a cancelled context gave", func(d *device) {
			d.sign = func(_ context.Context, h [32]byte) ([]byte, error) {
				return ecdsa.SignASN1(rand.Reader, d.key, h[:])
			}
		}},
		{"context ignored by Identity", "Cancelled", "Identity with a cancelled", func(d *device) { d.memory = true }},
		{"context ignored while it hangs", "ContextEnds", "Sign did not return", func(d *device) {
			d.sign = func(context.Context, [32]byte) ([]byte, error) { select {} }
		}},
		{"context's error hidden", "ContextEnds", "does not wrap", func(d *device) {
			d.derive = func(ctx context.Context, _ []byte) ([32]byte, error) {
				<-ctx.Done()
				return [32]byte{}, keyprovider.ErrLabel
			}
		}},
		{"hangs for ever", "ContextEnds", "does not work again", func(d *device) {
			d.sign = func(ctx context.Context, _ [32]byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
		}},
		{"Close does nothing", "Close", "not key provider is closed", func(d *device) {
			d.close = func() error { return nil }
		}},
		{"second Close fails", "Close", "second Close", func(d *device) {
			d.close = func() error {
				if d.closed.Swap(true) {
					return keyprovider.ErrClosed
				}
				return nil
			}
		}},
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			s := subject(t, f.spoil)
			for _, c := range cases() {
				if c.name != f.caught {
					continue
				}
				if err := s.run(t.Context(), c); err == nil || !strings.Contains(err.Error(), f.want) {
					t.Fatalf("case %s gave %v, want an error with %q", c.name, err, f.want)
				}
				return
			}
			t.Fatalf("no case %s", f.caught)
		})
	}
}

// TestEveryCaseCanFail keeps the table above complete.
func TestEveryCaseCanFail(t *testing.T) {
	dead := Subject{
		Open:      func() (keyprovider.Provider, error) { return nil, keyprovider.ErrClosed },
		OpenOther: func() (keyprovider.Provider, error) { return nil, keyprovider.ErrClosed },
	}
	for _, c := range cases() {
		if err := dead.run(t.Context(), c); err == nil && c.name != "CannotDerive" {
			t.Errorf("case %s passes without a provider", c.name)
		}
	}
}
