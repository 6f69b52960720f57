package client

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestRevokedGatewayIsNotBelieved: a running client follows its access list, and a
// gateway that is revoked there answers nothing any more.
func TestRevokedGatewayIsNotBelieved(t *testing.T) {
	s, c := start(t)
	if _, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 1}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	path := filepath.Join(t.TempDir(), "access.toml")
	list := fmt.Sprintf("[[gateway]]\nname = %q\npublic_key = \"%x\"\n", stubGateway, []byte(s.gateway.Public().(ed25519.PublicKey)))
	list += fmt.Sprintf("[[revoked]]\ngateway = %q\n", stubGateway)
	if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	c = s.connect(Config{URL: s.url, AccessFile: path})
	public := s.gateway.Public().(ed25519.PublicKey)
	for deadline := time.Now().Add(time.Minute); c.access.Load().CheckGateway(stubGateway, public) == nil; {
		if time.Sleep(time.Millisecond); time.Now().After(deadline) {
			t.Fatal("the list is not read")
		}
	}
	s.onJob(func(job wire.SignedJob) { s.store(s.result(job)) })
	h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	if trouble := waitForTrouble(t, h.p); !strings.Contains(trouble, "is revoked in the access list") {
		t.Errorf("ignored because: %s", trouble)
	}
}

// TestGatewayWithTwoKeys: while a gateway's key is being replaced, a result under either counts.
func TestGatewayWithTwoKeys(t *testing.T) {
	s, c := start(t)
	c.Close()
	old := ed25519.NewKeyFromSeed(append(make([]byte, 31), 0x51)).Public().(ed25519.PublicKey)
	signing := s.gateway.Public().(ed25519.PublicKey)
	config := func(first, second ed25519.PublicKey) Config {
		return Config{
			URL: s.url, Manifest: stated(s.manifest), Name: stubClient, Key: s.client,
			Gateways:   map[string]ed25519.PublicKey{stubGateway: first},
			SecondKeys: map[string]ed25519.PublicKey{stubGateway: second},
		}
	}
	for name, cfg := range map[string]Config{"the second key": config(old, signing), "the first key": config(signing, old)} {
		c, err := New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 1}); err != nil {
			t.Errorf("a result under %s: %v", name, err)
		}
		c.Close()
	}
	if _, err := New(t.Context(), config(signing, signing)); err == nil || !strings.Contains(err.Error(), "second key") {
		t.Errorf("one key twice: %v", err)
	}
}
