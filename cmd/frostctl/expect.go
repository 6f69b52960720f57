package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
)

// errNotThere is for keys that a keys file does not have.
var errNotThere = errors.New("name the keys file that has it, or give its public key")

// expectKeys fills in, from a keys file, the public keys that items lack, and the chain
// codes of those with a path. Without one there all the others have theirs; the errors, one
// for each such item, are errNotThere.
func expectKeys(cmd *cobra.Command, m *client.Manifest, path string, items []client.SignItem) (map[int]error, error) {
	wanted := map[string]*client.Key{} // of such items
	for _, it := range items {
		switch {
		case len(it.PublicKey) == 0:
			wanted[it.Key] = nil
		case it.Path != "" && path == "":
			return nil, usagef("a path and a public key: the child follows from the keys file, name that with --keys")
		case it.Path != "":
			wanted[it.Key] = nil
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	if path == "" {
		note(cmd, "warning: without --keys FILE or --public-key nothing shows that the right key signed")
		return nil, nil
	}
	if err := readProofs(cmd, path, m, func(_ client.Proof, keys []client.Key) error {
		for i, k := range keys {
			if _, wants := wanted[k.ID]; wants {
				wanted[k.ID] = &keys[i]
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	absent := map[int]error{}
	for i := range items {
		err := expectKey(&items[i], wanted, path)
		if errors.Is(err, errNotThere) {
			absent[i] = err
		} else if err != nil {
			return nil, err
		}
	}
	return absent, nil
}

// expectKey fills in an item from the keys that were found in a file.
func expectKey(it *client.SignItem, found map[string]*client.Key, path string) error {
	k, wants := found[it.Key]
	switch {
	case !wants || len(it.PublicKey) != 0 && it.Path == "":
		return nil
	case k == nil:
		return fmt.Errorf("key %s is not in %s: %w", printable(it.Key), path, errNotThere)
	case len(it.PublicKey) != 0 && !bytes.Equal(it.PublicKey, k.PublicKey):
		return fmt.Errorf("key %s has public key %x in %s, and %x was given", it.Key, k.PublicKey, path, it.PublicKey)
	}
	it.PublicKey, it.ChainCode = k.PublicKey, k.ChainCode
	return nil
}
