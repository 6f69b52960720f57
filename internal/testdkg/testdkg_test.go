package testdkg

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/test/kmstest"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// node writes the file of a node with a section for its key provider. Its
// storage_path does not exist.
func node(t *testing.T, index int, section string) string {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`[network]
type = "mainnet"
[server]
role = "node"
[node]
index = %d
storage_path = "storage"
max_signers = 3
min_signers = 2
[node.key_provider]
%s
[bus]
url = "tls://nats.example.org:4222"
`, index, section)
	path := filepath.Join(dir, "node.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func softwareNode(t *testing.T, index int) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key.json")
	if err := software.Generate(key); err != nil {
		t.Fatal(err)
	}
	return node(t, index, fmt.Sprintf("type = \"software\"\nkey_file = %q\nallow_insecure = true\n", key))
}

func tokenNode(t *testing.T, index int) string {
	t.Helper()
	hsm := softhsm.New(t)
	token := hsm.Token(t, "test-dkg")
	if _, err := pkcs11.Provision(t.Context(), pkcs11.Options{
		Library: hsm.Library(), TokenLabel: token.Label, KeyLabel: "i", DerivationKeyLabel: "d",
		PIN: pin.Literal(secret.New([]byte(token.PIN))),
	}); err != nil {
		t.Fatal(err)
	}
	return node(t, index, fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = %q\nkey_label = \"i\"\n"+
		"derivation_key_label = \"d\"\npin = %q\n", hsm.Library(), token.Label, token.PIN))
}

func kmsNode(t *testing.T, index int, server kmstest.Server) (path, identity string) {
	t.Helper()
	identity = server.CreateKey(kmstest.Identity)
	return node(t, index, fmt.Sprintf("type = \"aws-kms\"\nkey_id = %q\nderivation_key_id = %q\nendpoint = %q\n",
		identity, server.CreateKey(kmstest.Derivation), server.Endpoint())), identity
}

// alone has the temporary directories of this process in a folder of their own.
func alone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

func options(configs ...string) Options {
	return Options{Configs: configs, Log: slog.New(slog.DiscardHandler), Step: func(string, ...any) {}}
}

// nothingLeft checks that a run left no file, neither in its temporary
// directory nor in any node's storage_path, but for a token's guard against
// wrong PINs.
func nothingLeft(t *testing.T, temp string, configs ...string) {
	t.Helper()
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("the run left %v, %v", left, err)
	}
	for _, path := range configs {
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "storage", "*"))
		if len(left) > 1 || len(left) == 1 && filepath.Base(left[0]) != pin.TriedFile {
			t.Errorf("the run left %s in the storage_path of %s", left, path)
		}
	}
}

// TestMixed: a fleet of one node on each kind of provider, SoftHSM's token,
// moto's KMS, a KMS key with its derivation secret in a file, and software.
func TestMixed(t *testing.T) {
	kmstest.Setenv(t)
	moto := kmstest.StartMoto(t)
	kms, _ := kmsNode(t, 1, moto)
	file := node(t, 2, fmt.Sprintf("type = \"aws-kms\"\nkey_id = %q\nderivation = \"file\"\nendpoint = %q\n",
		moto.CreateKey(kmstest.Identity), moto.Endpoint()))
	configs := []string{tokenNode(t, 0), kms, file, softwareNode(t, 0)}
	temp := alone(t)
	r, err := Run(t.Context(), options(configs...))
	if err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, temp, configs...)
	if r.N != 4 || r.T != 3 || len(r.Keys) != 2 || len(r.Nodes) != 4 {
		t.Fatalf("%+v", r)
	}
	for i, prefix := range []string{"bcrt1p", ""} {
		if k := r.Keys[i]; !k.Verified || k.SignSeconds <= 0 || !strings.HasPrefix(k.Address, prefix) {
			t.Errorf("%+v", k)
		}
	}
	for i, want := range []string{"pkcs11", "aws-kms", "aws-kms", "software"} {
		n := r.Nodes[i]
		count := map[string]int{}
		for _, c := range n.Calls {
			count[c.Operation] = c.Count
		}
		derives := count["derive"] > 0
		if n.Provider != want || n.Config != configs[i] || count["sign"] < 3 || derives != (i != 2) {
			t.Errorf("node %d: %+v", i, n)
		}
		if (n.CostUSD > 0) != (want == "aws-kms") {
			t.Errorf("node %d costs %g", i, n.CostUSD)
		}
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil || !strings.Contains(out.String(), "3 of 4: keys generated, signatures verified") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestFails: each error names the step and the node, and nothing is left.
func TestFails(t *testing.T) {
	kmstest.Setenv(t)
	fault := kmstest.StartFaultKMS(t)
	disabled, identity := kmsNode(t, 0, fault)
	fault.Disable(identity)
	good, other := softwareNode(t, 0), softwareNode(t, 1)
	missing := filepath.Join(t.TempDir(), "missing.toml")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx       context.Context
		configs   []string
		threshold int
		says      []string
	}{
		"no such file":     {t.Context(), []string{good, missing}, 0, []string{missing}},
		"a key twice":      {t.Context(), []string{good, other, good}, 0, []string{good + " and " + good, "same identity key"}},
		"a disabled key":   {t.Context(), []string{good, disabled}, 0, []string{"opening " + disabled, "enable-key"}},
		"a high threshold": {t.Context(), []string{good, other}, 3, []string{"threshold of 3", "1 to 2"}},
		"a low threshold":  {t.Context(), []string{good}, -1, []string{"threshold of -1"}},
		"no nodes":         {t.Context(), nil, 0, []string{"0 nodes"}},
		"nobody to ask":    {t.Context(), []string{node(t, 0, "type = \"pkcs11\"\npkcs11_library = \"/x.so\"\ntoken_label = \"x\"\nkey_label = \"i\"\nderivation_key_label = \"d\"\n")}, 0, []string{"opening"}},
		"interrupted":      {ended, []string{good, other}, 0, []string{"canceled"}},
	} {
		t.Run(name, func(t *testing.T) {
			temp := alone(t)
			o := options(test.configs...)
			o.Threshold = test.threshold
			r, err := Run(test.ctx, o)
			if err == nil || r != nil {
				t.Fatalf("%+v, %v", r, err)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\ndoes not say %q", err, part)
				}
			}
			nothingLeft(t, temp, test.configs...)
		})
	}
}

// TestRefusedMeanwhile: with a device that is disabled during the run no key is
// generated, and the end of the run leaves nothing.
func TestRefusedMeanwhile(t *testing.T) {
	kmstest.Setenv(t)
	fault := kmstest.StartFaultKMS(t)
	kms, identity := kmsNode(t, 0, fault)
	temp := alone(t)
	o := options(kms, softwareNode(t, 1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Step = func(format string, args ...any) {
		if strings.HasPrefix(fmt.Sprintf(format, args...), "generating") {
			fault.Disable(identity)
			time.AfterFunc(time.Second, cancel)
		}
	}
	if r, err := Run(ctx, o); err == nil || !strings.HasPrefix(err.Error(), "generating a key for bitcoin: ") {
		t.Errorf("%+v, %v", r, err)
	}
	nothingLeft(t, temp, kms)
}
