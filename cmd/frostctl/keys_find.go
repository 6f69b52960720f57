package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signerFlag is a key, or a child of it: an id from keygen, and behind a slash the path.
type signerFlag struct {
	key, path string
}

func parseSigner(text string) (s signerFlag, err error) {
	key, path, below := strings.Cut(text, "/")
	if _, err := wire.ParseKeyID(key); err != nil {
		return s, usagef("--key %.100q: %w", text, err)
	}
	if _, err := derive.ParsePath(path); below && err != nil {
		return s, usagef("--key %.100q: the path behind the id: %w", text, err)
	}
	return signerFlag{key, path}, nil
}

// namedKeys are the keys of a keys file that have these ids, in their order. Only the lines
// that have one are verified: a file may have a million keys.
func namedKeys(cmd *cobra.Command, path string, m *client.Manifest, ids []string) ([]client.Key, error) {
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	found := map[string]client.Key{}
	err := keysOf(cmd, path, m, func(k wire.Key) bool { return wanted[k.ID] }, func(k client.Key) { found[k.ID] = k })
	if err != nil {
		return nil, err
	}
	keys := make([]client.Key, len(ids))
	for i, id := range ids {
		k, ok := found[id]
		if !ok {
			return nil, fmt.Errorf("key %s is not in %s: name the keys file that has it (--keys)", printable(id), path)
		}
		keys[i] = k
	}
	return keys, nil
}

// hintedKeys are the keys of a keys file that a request seems to be about: those whose
// fingerprint is somewhere in a PSBT, and those that are whole in a Solana transaction. That
// is a hint; whose an input is, whole keys decide.
func hintedKeys(cmd *cobra.Command, path string, m *client.Manifest, r request) ([]client.Key, error) {
	size := map[string]int{wire.Bitcoin: len(descriptor.Fingerprint{}), wire.Solana: 32}[r.chain()]
	there := map[string]bool{}
	for i := 0; i+size <= len(r.content); i++ {
		there[string(r.content[i:i+size])] = true
	}
	hint := func(k wire.Key) bool {
		if r.chain() == wire.Solana {
			return len(k.PublicKey) == size && there[string(k.PublicKey)]
		}
		fingerprint := descriptor.FingerprintOf(k.PublicKey)
		return len(k.PublicKey) == 33 && there[string(fingerprint[:])]
	}
	var keys []client.Key
	if err := keysOf(cmd, path, m, hint, func(k client.Key) {
		if r.kind == intent.PSBT || r.signs(m, k) {
			keys = append(keys, k)
		}
	}); err != nil {
		return nil, err
	}
	switch {
	case len(keys) == 0:
		return nil, fmt.Errorf("no key of %s is named in the %s: name the keys that are to sign (--key), "+
			"or the keys file that has them (--keys)", path, r.kind)
	case len(keys) > client.MaxPSBTKeys:
		return nil, fmt.Errorf("%d keys of %s are named in the %s: a job has at most %d, name them (--key)", len(keys), path,
			r.kind, client.MaxPSBTKeys)
	}
	return keys, nil
}

// signs reports whether a key is one of a Solana transaction's signers, and not just an
// account of it. Of what can't be read, all are: the error is to be about that.
func (r request) signs(m *client.Manifest, k client.Key) bool {
	_, err := r.job(m, new(requestOptions), []client.Key{k}, nil)
	refused, ok := errors.AsType[*client.JobError](err)
	return !ok || refused.Code != client.CodeNoInput
}

// keysOf hands the keys of a keys file that are wanted to take, each once and verified.
func keysOf(cmd *cobra.Command, path string, m *client.Manifest, wanted func(wire.Key) bool,
	take func(client.Key)) error {
	seen := map[string]bool{}
	return readLines(cmd, "keys", path, func(line []byte) error {
		var claimed struct {
			Result struct {
				Keys []wire.Key `json:"keys"`
			} `json:"result"`
		}
		// What can't be read is for the verification to say.
		if json.Unmarshal(line, &claimed) == nil && !slices.ContainsFunc(claimed.Result.Keys, wanted) {
			return nil
		}
		_, keys, err := verifyProof(bytes.TrimSpace(line), m)
		for _, k := range keys {
			if !seen[k.ID] && wanted(wire.Key{ID: k.ID, PublicKey: k.PublicKey}) {
				seen[k.ID] = true
				take(k)
			}
		}
		return err
	})
}
