package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// TestNoDerivationKey: a node that can't work says so before it waits for a
// manifest, for NATS or for KMS; what it says is what helps.
func TestNoDerivationKey(t *testing.T) {
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t)
	identity := kms.CreateKey(kmstest.Identity)
	kms.Everywhere(kmstest.Fault{Drop: true}) // it is not asked
	dir, o := newFleet(t, 1)
	fresh := nodeWith(t, t.TempDir(), fmt.Sprintf("type = \"aws-kms\"\nkey_id = %q\nendpoint = %q\n", identity, kms.Endpoint()))
	enrolled := loadNode(t, dir, 0)
	enrolled.Node.KeyProvider = fresh.Node.KeyProvider
	enrolled.Bus.URL = "nats://127.0.0.1:1" // nobody answers there
	const back = "put back the derivation_key_id"
	for name, n := range map[string]*config.Node{"enrolled": enrolled, "fresh": fresh} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		err := Node(ctx, n, o)
		cancel()
		if !errors.Is(err, keyprovider.ErrCannotDerive) || !strings.Contains(err.Error(), "aws kms create-key") || strings.Contains(err.Error(), back) != (n == enrolled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDerivationFileIsMadeAtEnrolment: and never while there is a manifest,
// good or not, as whoever enrolled has a secret already.
func TestDerivationFileIsMadeAtEnrolment(t *testing.T) {
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t)
	n := nodeWith(t, t.TempDir(), fmt.Sprintf("type = \"aws-kms\"\nkey_id = %q\nendpoint = %q\nderivation = \"file\"\n", kms.CreateKey(kmstest.Identity), kms.Endpoint()))
	path := filepath.Join(n.Node.StoragePath, "derivation.key")
	refused := func(o ProviderOptions) {
		t.Helper()
		if p, err := OpenProvider(t.Context(), n, o); err == nil || p != nil || !strings.Contains(err.Error(), "put the file back") {
			t.Errorf("%v, %v", p, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("made")
		}
	}
	refused(ProviderOptions{})
	if err := os.MkdirAll(filepath.Dir(n.Node.Manifest), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, n.Node.Manifest, "{", 0o600)
	refused(ProviderOptions{Options: keyprovider.Options{Enrolling: true}})
	if err := os.Remove(n.Node.Manifest); err != nil {
		t.Fatal(err)
	}
	for _, enrolling := range []bool{true, false} { // made, then read
		p, err := OpenProvider(t.Context(), n, ProviderOptions{Options: keyprovider.Options{Enrolling: enrolling}})
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
}
