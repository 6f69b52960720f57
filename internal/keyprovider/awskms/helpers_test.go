package awskms

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// calls is an observer.
type calls struct {
	mu   sync.Mutex
	list []keyprovider.Call
}

func (c *calls) observe(call keyprovider.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, call)
}

// String lists operation and outcome of every call.
func (c *calls) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var told []string
	for _, call := range c.list {
		told = append(told, call.Operation+" "+string(keyprovider.ReasonOf(call.Err)))
	}
	return strings.Join(told, ", ")
}

// logged is a log that a test can read.
type logged struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// faulty gives a FaultKMS and options for a node with both keys.
func faulty(t testing.TB) (*kmstest.FaultKMS, Options) {
	t.Helper()
	kmstest.Setenv(t)
	f := kmstest.StartFaultKMS(t)
	return f, Options{Section: Section{
		KeyID: f.CreateKey(kmstest.Identity), DerivationKeyID: f.CreateKey(kmstest.Derivation), Endpoint: f.URL,
	}}
}

func open(t testing.TB, o Options) *Provider {
	t.Helper()
	p, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// publicKey asks a server itself, not through the provider.
func publicKey(t testing.TB, s kmstest.Server, arn string) *ecdsa.PublicKey {
	t.Helper()
	name, err := parseKeyName(arn)
	if err != nil {
		t.Fatal(err)
	}
	out, err := kmstest.Do(s.Endpoint(), name.region, "GetPublicKey", map[string]any{"KeyId": arn})
	if err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(out["PublicKey"].(string))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.(*ecdsa.PublicKey)
}

// wants checks an error: its reason, and words that an operator reads.
func wants(t testing.TB, err error, reason keyprovider.Reason, words ...string) {
	t.Helper()
	var e *keyprovider.Error
	if !errors.As(err, &e) || e.Reason != reason {
		t.Fatalf("got %v, want reason %s", err, reason)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Fatalf("got %q, without %q", err, word)
		}
	}
}

// spki is the public key of a stranger, as GetPublicKey gives it.
func spki(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&newKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
