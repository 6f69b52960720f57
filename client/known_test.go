package client

import (
	"errors"
	"testing"
)

// TestKnownKey: a key that a gateway knows from the register is an account like the one that
// was proven, and what can't be a key is refused.
func TestKnownKey(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	for _, chain := range []string{"bitcoin", "solana"} {
		keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: chain, Count: 1})
		if err != nil {
			t.Fatal(err)
		}
		proven := keys.Keys[0]
		known, err := KnownKey(c.Manifest(), chain, proven.ID, proven.PublicKey, proven.ChainCode)
		if err != nil || known.Address != proven.Address {
			t.Fatalf("%s: %+v, %v; want %+v", chain, known, err, proven)
		}
		if _, err := known.Account(); err != nil {
			t.Error(err)
		}
		for name, bad := range map[string]func() (Key, error){
			"chain": func() (Key, error) {
				return KnownKey(c.Manifest(), "dogecoin", "k", proven.PublicKey, proven.ChainCode)
			},
			"chain code": func() (Key, error) { return KnownKey(c.Manifest(), chain, "k", proven.PublicKey, nil) },
			"public key": func() (Key, error) {
				return KnownKey(c.Manifest(), chain, "k", proven.PublicKey[:31], proven.ChainCode)
			},
			"manifest": func() (Key, error) { return KnownKey(nil, chain, "k", proven.PublicKey, proven.ChainCode) },
		} {
			if key, err := bad(); err == nil {
				t.Errorf("%s: another %s gives %+v", chain, name, key)
			}
		}
	}
	var refused *AccountError
	if _, err := (Key{ID: "made up"}).Account(); !errors.As(err, &refused) {
		t.Errorf("a key that nobody knows: %v", err)
	}
}
