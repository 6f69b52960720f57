//go:build cgo

package pkcs11

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/asn1"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

const (
	identityLabel   = "frost-identity"
	derivationLabel = "frost-derivation"
)

// optionsFor says how to open a token by its label.
func optionsFor(h *softhsm.HSM, token softhsm.Token) Options {
	return Options{
		Section: Section{Library: h.Library(), TokenLabel: token.Label, KeyLabel: identityLabel, DerivationKeyLabel: derivationLabel},
		PIN:     pinOf(token.PIN),
	}
}

func pinOf(text string) pin.Source { return pin.Literal(secret.New([]byte(text))) }

// provisioned makes a token with its keys.
func provisioned(t testing.TB, h *softhsm.HSM, label, derivation string) (softhsm.Token, Options) {
	t.Helper()
	token := h.Token(t, label)
	o := optionsFor(h, token)
	o.Derivation = derivation
	if _, err := Provision(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return token, o
}

func mustOpen(t testing.TB, o Options) *Provider {
	t.Helper()
	return mustOpenWith(t, o, loadLibrary)
}

func mustOpenWith(t testing.TB, o Options, load loader) *Provider {
	t.Helper()
	p, err := open(t.Context(), o, load, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// mustWork signs, verifies and derives.
func mustWork(t *testing.T, p keyprovider.Provider) {
	t.Helper()
	if err := keyprovider.Check(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t *testing.T, p *Provider) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func trySign(ctx context.Context, p *Provider) error {
	digest := [32]byte{1, 2, 3}
	sig, err := p.Sign(ctx, digest)
	if err != nil {
		return err
	}
	key, err := p.Identity(ctx)
	if err == nil && !ecdsa.VerifyASN1(key, digest[:], sig) {
		panic("a signature was handed out that does not verify")
	}
	return err
}

// wants checks an error's reason and that it says each of the words.
func wants(t *testing.T, err error, reason keyprovider.Reason, words ...string) {
	t.Helper()
	if keyprovider.ReasonOf(err) != reason {
		t.Fatalf("reason %s, not %s: %v", keyprovider.ReasonOf(err), reason, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}

// eventually wants f to give nil within the time that a device may take to
// be found again.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func isReady(m *module) bool {
	m.gate.RLock()
	defer m.gate.RUnlock()
	return m.ready
}

// calls is an observer that keeps what it hears.
type calls struct {
	mu  sync.Mutex
	all []keyprovider.Call
}

func (c *calls) observe(call keyprovider.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, call)
}

func (c *calls) count(operation string, reason keyprovider.Reason) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range c.all {
		if call.Operation == operation && keyprovider.ReasonOf(call.Err) == reason {
			n++
		}
	}
	return n
}

// logged is a log that tests read.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// admin is a session of its own on a token, for what a provider does not do:
// it makes keys of every kind.
type admin struct {
	t   *testing.T
	api *p11.Ctx
	s   session
}

// asAdmin runs do in a read-write session with the library initialised by the
// test. No provider is open meanwhile.
func (o Options) asAdmin(t *testing.T, token softhsm.Token, do func(*admin)) {
	t.Helper()
	a := &admin{t: t, api: p11.New(o.Library)}
	defer a.api.Destroy()
	a.must(a.api.Initialize())
	defer func() { a.must(a.api.Finalize()) }()
	var err error
	a.s, err = a.api.OpenSession(token.Slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	a.must(err)
	a.must(a.api.Login(a.s, p11.CKU_USER, token.PIN))
	do(a)
}

func (a *admin) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func attributesOf(values map[uint]any) (out []*p11.Attribute) {
	for attribute, value := range values {
		out = append(out, p11.NewAttribute(attribute, value))
	}
	return out
}

// pair makes a key pair on a curve, or RSA if the curve is nil.
func (a *admin) pair(label string, curve []byte, more map[uint]any) (public, private handle) {
	a.t.Helper()
	pub := map[uint]any{p11.CKA_TOKEN: true, p11.CKA_LABEL: label, p11.CKA_ID: []byte{7}, p11.CKA_VERIFY: true}
	priv := map[uint]any{p11.CKA_TOKEN: true, p11.CKA_PRIVATE: true, p11.CKA_SENSITIVE: true, p11.CKA_LABEL: label,
		p11.CKA_ID: []byte{7}, p11.CKA_SIGN: true}
	for attribute, value := range more {
		priv[attribute] = value
	}
	m := mechanism(p11.CKM_EC_KEY_PAIR_GEN)
	if curve != nil {
		pub[p11.CKA_EC_PARAMS] = curve
	} else {
		m = mechanism(p11.CKM_RSA_PKCS_KEY_PAIR_GEN)
		pub[p11.CKA_MODULUS_BITS], pub[p11.CKA_PUBLIC_EXPONENT] = 2048, []byte{1, 0, 1}
	}
	public, private, err := a.api.GenerateKeyPair(a.s, m, attributesOf(pub), attributesOf(priv))
	a.must(err)
	return public, private
}

func (a *admin) secret(label string, m uint, more map[uint]any) handle {
	a.t.Helper()
	template := map[uint]any{p11.CKA_TOKEN: true, p11.CKA_PRIVATE: true, p11.CKA_LABEL: label, p11.CKA_SIGN: true, p11.CKA_VALUE_LEN: 32}
	for attribute, value := range more {
		template[attribute] = value
	}
	h, err := a.api.GenerateKey(a.s, mechanism(m), attributesOf(template))
	a.must(err)
	return h
}

// decode reads a DER signature with another decoder than the one that wrote
// it.
func decode(der []byte) (r, s *big.Int, ok bool) {
	var out struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &out)
	return out.R, out.S, err == nil && len(rest) == 0
}
