// Package providers_test runs whole fleets on each kind of key provider: real
// PKCS#11 tokens of SoftHSM2, and KMS over HTTP.
package providers_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/kmstest"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := fleettest.Build(); err == nil {
		_ = os.RemoveAll(bin)
	}
	os.Exit(code)
}

// token makes a token with a node's keys, and gives the section of the node's
// file for it. Derivation is hmac or ecdh.
func token(t testing.TB, hsm *softhsm.HSM, label, derivation string) (softhsm.Token, string) {
	t.Helper()
	made := hsm.Token(t, label)
	o := pkcs11.Options{
		Section: pkcs11.Section{
			Library: hsm.Library(), TokenLabel: label, KeyLabel: "frost-identity",
			DerivationKeyLabel: "frost-derivation", Derivation: derivation,
		},
		PIN: pin.Literal(secret.New([]byte(made.PIN))),
	}
	if _, err := pkcs11.Provision(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return made, fmt.Sprintf(`type = "pkcs11"
pkcs11_library = %q
token_label = %q
key_label = "frost-identity"
derivation_key_label = "frost-derivation"
pin = %q
`, hsm.Library(), label, made.PIN)
}

// kmsNode makes a node's two keys in a KMS, and gives the section of the
// node's file for them.
func kmsNode(server kmstest.Server) (identity, section string) {
	identity = server.CreateKey(kmstest.Identity)
	return identity, fmt.Sprintf("type = \"aws-kms\"\nkey_id = %q\nderivation_key_id = %q\nendpoint = %q\n",
		identity, server.CreateKey(kmstest.Derivation), server.Endpoint())
}

// connect is a client of a fleet.
func connect(t testing.TB, file string) *client.Client {
	t.Helper()
	config, err := client.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// generate has keys of a chain made. The client checks the certificates of
// all nodes against the manifest.
func generate(t testing.TB, c *client.Client, chain string, count int) []client.Key {
	t.Helper()
	result, err := c.Keygen(t.Context(), client.KeygenRequest{Chain: chain, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	return result.Keys
}

// sign has one message signed with each key, and verifies the signatures with
// libraries that had no part in them.
func sign(t testing.TB, c *client.Client, keys []client.Key, text string) {
	t.Helper()
	items := make([]client.SignItem, len(keys))
	for i, k := range keys {
		message := sha256.Sum256(fmt.Append(nil, text, i))
		items[i] = client.SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message[:]}
	}
	result, err := c.Sign(t.Context(), client.SignRequest{Items: items})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range result.Signatures {
		if !verifies(result.Suite, s, items[i].Message) {
			t.Fatalf("signature %d of %d by %s does not verify", i, len(items), s.Key)
		}
	}
}

func verifies(suite string, s client.Signature, message []byte) bool {
	if suite == "ed25519" {
		return ed25519.Verify(s.PublicKey, message, s.Signature)
	}
	key, err := schnorr.ParsePubKey(s.PublicKey)
	if err != nil {
		return false
	}
	sig, err := schnorr.ParseSignature(s.Signature)
	return err == nil && sig.Verify(message, key)
}

// TestDKG is `make test-dkg`: a 2-of-3 key generation and signatures with each
// provider, and with a fleet that has one node of each.
func TestDKG(t *testing.T) {
	kmstest.Setenv(t)
	hsm, moto := softhsm.New(t), kmstest.StartMoto(t)
	tokens := func(name, derivation string) map[int]string {
		sections := map[int]string{}
		for i := range 3 {
			_, sections[i] = token(t, hsm, fmt.Sprintf("%s-node%d", name, i), derivation)
		}
		return sections
	}
	kms := func() (section string) { _, section = kmsNode(moto); return section }
	all := map[string]map[int]string{
		"software":    nil,
		"pkcs11-hmac": tokens("hmac", pkcs11.HMAC),
		"pkcs11-ecdh": tokens("ecdh", pkcs11.ECDH),
		"aws-kms":     {0: kms(), 1: kms(), 2: kms()},
		"mixed":       {0: tokens("mixed", pkcs11.HMAC)[0], 1: kms()}, // and node 2 on software keys
	}
	for name, sections := range all {
		t.Run(name, func(t *testing.T) {
			f := fleettest.Start(t, fleettest.Options{Providers: sections})
			c := connect(t, f.ClientFile())
			for _, chain := range []string{"bitcoin", "solana"} {
				keys := generate(t, c, chain, 5)
				sign(t, c, keys, chain)
				f.StopNode(1) // and its derived secrets with it
				sign(t, c, keys, "two of three")
				f.WipeNode(1)
				f.StartNode(1) // rebuilds its shares from the log
				f.StopNode(2)
				sign(t, c, keys, "with rebuilt shares")
				f.StartNode(2)
			}
		})
	}
}
