package config

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func testKey(i byte) string {
	public := ed25519.NewKeyFromSeed(append(make([]byte, 31), 0x60+i)).Public().(ed25519.PublicKey)
	return fmt.Sprintf("%x", []byte(public))
}

// twoKeys is the list of configs with other keys of the gateway and the first client.
func twoKeys(t *testing.T, gateway, client string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "access.toml"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(text), "\npublic_key = ", 3)
	_, afterGateway, _ := strings.Cut(parts[1], "\n")
	_, afterClient, _ := strings.Cut(parts[2], "\n")
	return parts[0] + "\n" + gateway + "\n" + afterGateway + "\n" + client + "\n" + afterClient
}

// TestPublicKeys: an entry may have two keys, of which each counts.
func TestPublicKeys(t *testing.T) {
	a, err := LoadAccess(write(t, twoKeys(t, `public_keys = ["`+testKey(1)+`", "`+testKey(2)+`"]`,
		`public_keys = ["`+testKey(3)+`",
  "`+testKey(4)+`"]`)))
	if err != nil {
		t.Fatal(err)
	}
	list, err := a.Wire()
	if err != nil {
		t.Fatal(err)
	}
	public := func(i int, of AccessKeys) ed25519.PublicKey { return ed25519.PublicKey(of.All()[i]) }
	for i := range 2 {
		if err := list.CheckGateway("gateway0", public(i, a.Gateways[0].AccessKeys)); err != nil {
			t.Error(err)
		}
		if !list.IsClient("treasury", public(i, a.Clients[0].AccessKeys)) {
			t.Errorf("key %d is not the client's", i)
		}
	}
	if len(list.Overlaps()) != 2 || len(a.Clients[1].All()) != 1 {
		t.Errorf("overlaps: %v", list.Overlaps())
	}
	alone, err := LoadAccess(write(t, twoKeys(t, `public_keys = ["`+testKey(1)+`"]`, `public_key = "`+testKey(3)+`"`)))
	if err != nil {
		t.Fatal(err)
	}
	if list, err = alone.Wire(); err != nil || len(list.Overlaps()) > 0 {
		t.Errorf("one key in a list: %v, %v", list.Overlaps(), err)
	}
}

// TestPublicKeysThatAreRefused: each error names the entry.
func TestPublicKeysThatAreRefused(t *testing.T) {
	gateway := `public_key = "` + testKey(1) + `"`
	treasury, deposits := "b2076653", "aceafeb1bdd80d5676091b02dbf31546279d4ad1acebad3542065ec88839c001"
	carol := "e14bb7ac8ac584b9f3ab53b96ad1c8c114b5a4bfe8096cfe8970aec9ee9e17d5"
	list := func(keys ...string) string { return `public_keys = ["` + strings.Join(keys, `", "`) + `"]` }
	for want, entry := range map[string]string{
		"client[0].public_keys: has 0 keys":                          "public_keys = []",
		"client[0].public_keys: has 3 keys":                          list(testKey(3), testKey(4), testKey(5)),
		"client[0].public_keys: is set, and so is public_key":        list(testKey(3)) + "\npublic_key = \"" + testKey(4) + `"`,
		"client[0].public_keys: has the key ":                        list(testKey(3), testKey(3)),
		"client[0].public_keys: is the key of gateway gateway0 too":  list(testKey(3), testKey(1)),
		"client[1].public_key: is the key of client treasury too":    list(testKey(3), deposits),
		"administrator[0].public_key: is the key of client treasury": list(testKey(3), carol),
		"of client treasury: not a usable Ed25519 public key":        list(testKey(3), strings.Repeat("0", 64)),
		"not an Ed25519 public key of 64 hexadecimal characters":     list(testKey(3), treasury),
		"client[0].public_key: is missing":                           "",
		"it has the wrong type":                                      "public_keys = \"" + testKey(3) + `"`,
	} {
		if _, err := LoadAccess(write(t, twoKeys(t, gateway, entry))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	for name, key := range map[string]string{"the base point of order 2": "ec" + strings.Repeat("f", 60) + "7f"} {
		if _, err := LoadAccess(write(t, twoKeys(t, list(testKey(1), key), "public_key = \""+testKey(3)+`"`))); err == nil ||
			!strings.Contains(err.Error(), wire.ErrWeakKey.Error()[:20]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
