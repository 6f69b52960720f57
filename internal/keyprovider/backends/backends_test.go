package backends_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
	"github.com/frostfleet/frostfleet/internal/keyprovider/conformance"
)

// vault is a further back end, as somebody would add one: a section, and a
// provider. Its devices are in memory, by name.
type vault struct {
	Name string `toml:"name"`
	keyprovider.Device

	devices map[string]*device
}

func (v *vault) Check(t keyprovider.Table, _ keyprovider.Node) {
	v.CheckDevice(t, keyprovider.Prices{Sign: 7})
	t.Require("name", v.Name)
	if strings.Contains(v.Name, " ") {
		t.Fail("name", "is %q, with a blank", v.Name)
	}
}

func (v *vault) CanDerive(keyprovider.Node) error { return nil }

func (v *vault) CheckMachine(keyprovider.Node, bool) error { return nil }

func (v *vault) Charges() keyprovider.Prices { return v.Prices }

func (v *vault) Open(context.Context, keyprovider.Node, keyprovider.Options) (keyprovider.Provider, error) {
	if v.devices[v.Name] == nil {
		return nil, &keyprovider.Error{Reason: keyprovider.NotFound, Provider: "vault", Remedy: "provision it"}
	}
	return &session{device: v.devices[v.Name]}, nil
}

func (v *vault) Provision(context.Context, keyprovider.Node, keyprovider.Options) (*keyprovider.Provisioned, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	v.devices[v.Name] = &device{key: key, prf: []byte(rand.Text())}
	return &keyprovider.Provisioned{Provider: "vault"}, nil
}

func (v *vault) DeviceKeys(keyprovider.Node) []keyprovider.DeviceKey { return nil }

type device struct {
	key *ecdsa.PrivateKey
	prf []byte
}

// session is an open device.
type session struct {
	*device
	closed atomic.Bool
}

func (s *session) begin(ctx context.Context) error {
	if s.closed.Load() {
		return keyprovider.ErrClosed
	}
	return ctx.Err()
}

func (s *session) Identity(ctx context.Context) (*ecdsa.PublicKey, error) {
	return &s.key.PublicKey, s.begin(ctx)
}

func (s *session) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return ecdsa.SignASN1(rand.Reader, s.key, digest[:])
}

func (s *session) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	if err := errors.Join(keyprovider.CheckLabel(label), s.begin(ctx)); err != nil {
		return [32]byte{}, err
	}
	mac := hmac.New(sha256.New, s.prf)
	mac.Write(label)
	return [32]byte(mac.Sum(nil)), nil
}

func (s *session) Close() error {
	s.closed.Store(true)
	return nil
}

// TestAnotherBackend: a back end is registered as one value. Then a node's file
// can name it, with its own keys, checks, defaults and prices; it is provisioned
// and opened like every other, and the suite for all of them runs on it.
func TestAnotherBackend(t *testing.T) {
	devices := map[string]*device{}
	all := append(backends.All(), keyprovider.Backend{
		Type:       "vault",
		Section:    func() keyprovider.Section { return &vault{devices: devices} },
		Operations: []string{keyprovider.OpSign},
	})
	load := func(section string) (*config.Node, error) {
		path := filepath.Join(t.TempDir(), "node.toml")
		text := "[network]\ntype = \"regtest\"\n[server]\nrole = \"node\"\n[node]\nindex = 0\nstorage_path = \"data\"\n" +
			"max_signers = 1\nmin_signers = 1\n[node.key_provider]\n" + section
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.LoadNode(path, all)
	}
	for section, want := range map[string]string{
		"type = \"vault\"":                 "node.key_provider.name: is missing",
		"type = \"vault\"\nname = \"a b\"": `:12: node.key_provider.name: is "a b", with a blank`,
		"type = \"vault\"\nname = \"a\"\nslot = 1": `:13: node.key_provider.slot: is not for type "vault", ` +
			`which has name, timeout, max_attempts, prices`,
		"type = \"vault\"\nname = \"a\"\ntimeout = \"1h\"": ":13: node.key_provider.timeout: is 1h0m0s: use 1ms to 30s",
		"type = \"attic\"": "use software, aws-kms, pkcs11, vault",
	} {
		if _, err := load(section); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", section, err, want)
		}
	}
	opener := func(name string) func() (keyprovider.Provider, error) {
		n, err := load("type = \"vault\"\nname = \"" + name + "\"\nmax_attempts = 2\n")
		if err != nil {
			t.Fatal(err)
		}
		section := n.Node.KeyProvider.Section
		if section.Policy().Attempts != 2 || section.Charges().Sign != 7 || n.Node.KeyProvider.Backend.Type != "vault" {
			t.Errorf("%+v, %+v", section.Policy(), section.Charges())
		}
		_, err = section.Open(t.Context(), n.Provider(), keyprovider.Options{})
		if keyprovider.ReasonOf(err) != keyprovider.NotFound {
			t.Errorf("before it is provisioned: %v", err)
		}
		if _, err := section.Provision(t.Context(), n.Provider(), keyprovider.Options{}); err != nil {
			t.Fatal(err)
		}
		return func() (keyprovider.Provider, error) {
			return section.Open(t.Context(), n.Provider(), keyprovider.Options{})
		}
	}
	conformance.Run(t, conformance.Subject{Open: opener("one"), OpenOther: opener("two")})
}
