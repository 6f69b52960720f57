package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// nodeWith loads a node's file with a section for its key provider.
func nodeWith(t *testing.T, dir, section string) *config.Node {
	t.Helper()
	path := write(t, filepath.Join(dir, "node.toml"), `[network]
type = "regtest"
[server]
role = "node"
port = 0
[node]
index = 0
storage_path = "data"
max_signers = 1
min_signers = 1
[node.key_provider]
`+section, 0o600)
	n, err := LoadNode(path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// calls hears of calls, and counts those that went well by operation.
type calls struct {
	mu sync.Mutex
	ok map[string]int
}

func (c *calls) observe(call keyprovider.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ok == nil {
		c.ok = map[string]int{}
	}
	if call.Err == nil {
		c.ok[call.Provider+" "+call.Operation]++
	}
}

func (c *calls) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.ok)
}

// TestSoftwareProvider: its calls are heard of, and its keys described with a
// warning.
func TestSoftwareProvider(t *testing.T) {
	dir := t.TempDir()
	if err := software.Generate(filepath.Join(dir, "key.json")); err != nil {
		t.Fatal(err)
	}
	var heard calls
	n := nodeWith(t, dir, "type = \"software\"\nkey_file = \"key.json\"\n")
	p, err := OpenProvider(t.Context(), n, ProviderOptions{Options: keyprovider.Options{Observe: heard.observe}})
	if err != nil {
		t.Fatal(err)
	}
	if err := keyprovider.Check(t.Context(), p); err != nil {
		t.Error(err)
	}
	if got := heard.String(); got != "map[software derive:3 software sign:1]" {
		t.Errorf("heard of %s", got)
	}
	facts, err := p.(keyprovider.Describer).Describe(t.Context())
	if err != nil || facts[0].Value != n.Node.KeyProvider.Section.(*software.Section).KeyFile || facts[0].Warning == "" {
		t.Errorf("%+v, %v", facts, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Sign(t.Context(), [32]byte{}); !errors.Is(err, keyprovider.ErrClosed) {
		t.Error(err)
	}
}

func TestPolicy(t *testing.T) {
	n := nodeWith(t, t.TempDir(), "type = \"aws-kms\"\nkey_id = \"k\"\ntimeout = \"2s\"\nmax_attempts = 7\n")
	if got := Policy(n); got != (keyprovider.Policy{Name: "aws-kms", Timeout: 2 * time.Second, Attempts: 7}) {
		t.Errorf("%+v", got)
	}
	n = nodeWith(t, t.TempDir(), "type = \"aws-kms\"\nkey_id = \"k\"\n")
	if got := Policy(n); got != (keyprovider.Policy{Name: "aws-kms"}) {
		t.Errorf("%+v", got)
	}
}

// TestKMSProvider: what a file says of KMS gets there. Every key has an effect
// that is seen: the endpoint is called, regions and aliases lead to keys, and
// derivation = "file" puts a secret into storage_path.
func TestKMSProvider(t *testing.T) {
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t)
	identity := kms.CreateKey(kmstest.Identity.In("eu-west-1").Multi())
	mac := kms.CreateKey(kmstest.Derivation.In("eu-west-1").Multi())
	for _, arn := range []string{identity, mac} {
		kms.Replicate(arn, "us-west-2")
	}
	kms.CreateAlias("eu-west-1", "alias/frost-node-0", identity)
	type section = string
	endpoint := fmt.Sprintf("type = \"aws-kms\"\nendpoint = %q\n", kms.Endpoint())
	for name, test := range map[string]struct {
		section
		check func(t *testing.T, n *config.Node, p keyprovider.Provider)
	}{
		"keys":              {fmt.Sprintf("key_id = %q\nderivation_key_id = %q\n", identity, mac), works},
		"alias and regions": {fmt.Sprintf("key_id = \"alias/frost-node-0\"\nderivation_key_id = %q\nregions = [\"eu-west-1\"]\n", mac), works},
		"derivation in a file": {fmt.Sprintf("key_id = %q\nderivation = \"file\"\n", identity), func(t *testing.T, n *config.Node, p keyprovider.Provider) {
			works(t, n, p)
			if _, err := os.Stat(filepath.Join(n.Node.StoragePath, "derivation.key")); err != nil {
				t.Error(err)
			}
		}},
		"no derivation key": {fmt.Sprintf("key_id = %q\n", identity), func(t *testing.T, _ *config.Node, p keyprovider.Provider) {
			if _, err := p.Derive(t.Context(), []byte("x")); !errors.Is(err, keyprovider.ErrCannotDerive) {
				t.Errorf("got %v", err)
			}
		}},
		"second region": {fmt.Sprintf("key_id = %q\nderivation_key_id = %q\nregions = [\"eu-west-1\", \"us-west-2\"]\nhedge_after = \"10ms\"\n", identity, mac),
			func(t *testing.T, n *config.Node, p keyprovider.Provider) {
				before := kms.CallsIn("us-west-2", "Sign")
				kms.Fault("Sign", kmstest.Fault{Region: "eu-west-1", Latency: time.Minute, Times: 1})
				works(t, n, p)
				if kms.CallsIn("us-west-2", "Sign") == before {
					t.Error("the second region was not asked")
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			var heard calls
			n := nodeWith(t, t.TempDir(), endpoint+test.section)
			p, err := OpenProvider(t.Context(), n, ProviderOptions{Options: keyprovider.Options{Observe: heard.observe, Enrolling: true}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			test.check(t, n, p)
			if !strings.Contains(heard.String(), "aws-kms describe") {
				t.Errorf("heard of %s", heard.String())
			}
		})
	}
}

func works(t *testing.T, _ *config.Node, p keyprovider.Provider) {
	t.Helper()
	if err := keyprovider.Check(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// TestPinnedIdentity: the manifest's key, if it is this node's manifest.
func TestPinnedIdentity(t *testing.T) {
	dir, _ := newFleet(t, 2)
	n := loadNode(t, dir, 1)
	p, err := OpenProvider(t.Context(), n, ProviderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	key, err := p.Identity(t.Context())
	if err != nil || !key.Equal(PinnedIdentity(n)) {
		t.Errorf("%v, %v", PinnedIdentity(n), err)
	}
	n.Node.MaxSigners = 3
	if PinnedIdentity(n) != nil {
		t.Error("another fleet's manifest was taken")
	}
	n.Node.Manifest += ".none"
	if PinnedIdentity(n) != nil {
		t.Error("a key without a manifest")
	}
}

// TestOpeningEnds: with its context.
func TestOpeningEnds(t *testing.T) {
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t)
	identity := kms.CreateKey(kmstest.Identity)
	kms.Everywhere(kmstest.Fault{Hang: true})
	n := nodeWith(t, t.TempDir(), fmt.Sprintf("type = \"aws-kms\"\nendpoint = %q\nkey_id = %q\n", kms.Endpoint(), identity))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if p, err := OpenProvider(ctx, n, ProviderOptions{}); !errors.Is(err, context.DeadlineExceeded) || p != nil {
		t.Errorf("%v, %v", p, err)
	}
}
