package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/exit"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// maxKeysFile bounds a file of keys, in bytes.
const maxKeysFile = 64 << 20

// readKeyIDs returns the keys that the command line names, by batch and index: so every node
// has them in one order.
func readKeyIDs(named []string) ([]wire.KeyID, error) {
	var all []wire.KeyID
	for _, name := range named {
		if id, err := wire.ParseKeyID(name); err == nil {
			all = append(all, id)
			continue
		}
		text, err := secret.File{What: "--keys", Path: name, Max: maxKeysFile, Public: true}.Text()
		if err != nil {
			return nil, err
		}
		number := 0
		for line := range bytes.Lines(text.Expose()) {
			number++
			if all, err = appendKeyIDs(all, bytes.TrimSpace(line)); err != nil {
				return nil, fmt.Errorf("--keys %s, line %d: %w", name, number, err)
			}
		}
	}
	slices.SortFunc(all, func(a, b wire.KeyID) int {
		return cmp.Or(cmp.Compare(a.Batch, b.Batch), cmp.Compare(a.Index, b.Index))
	})
	all = slices.Compact(all)
	switch {
	case len(all) == 0:
		return nil, command.Usagef("--keys: no key is named")
	case len(all) > exit.MaxKeys:
		return nil, fmt.Errorf("--keys: %d keys: %w", len(all), exit.ErrSize)
	}
	return all, nil
}

// appendKeyIDs reads a line: an id, or the proof that frostctl keygen wrote.
func appendKeyIDs(all []wire.KeyID, line []byte) ([]wire.KeyID, error) {
	if len(line) == 0 || line[0] == '#' {
		return all, nil
	}
	if line[0] != '{' {
		id, err := wire.ParseKeyID(string(line))
		return append(all, id), err
	}
	var proof struct {
		Result struct {
			Keys []struct {
				ID string `json:"id"`
			} `json:"keys"`
		} `json:"result"`
	}
	if json.Unmarshal(line, &proof) != nil || len(proof.Result.Keys) == 0 {
		return nil, errors.New("neither a key's id nor a line of frostctl keygen")
	}
	for _, key := range proof.Result.Keys {
		id, err := wire.ParseKeyID(key.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, nil
}

// loadShares reads a node's shares of keys. None that is frozen, or that not all nodes
// certified, is among them.
func loadShares(store *keystore.Store, of member, ids []wire.KeyID, frozen *wire.Frozen) (*exit.File, error) {
	m := of.manifest
	f := &exit.File{Head: exit.Head{
		Fleet: m.Fleet, Network: m.Network, Manifest: m.Hash(), Node: of.index, N: m.N, T: m.T,
	}}
	shares := make([]byte, 0, len(ids)*frost.ScalarSize)
	f.Shares = secret.New(shares[:cap(shares)])
	for _, id := range ids {
		k, err := store.Key(id.Batch, id.Index)
		if err == nil {
			shares = append(shares, k.Share.Expose()...)
			k.Share.Wipe()
			err = mayLeave(k, id, frozen)
		}
		if errors.Is(err, keystore.ErrMoved) || errors.Is(err, keystore.ErrUnknown) {
			err = fmt.Errorf("%w: if it is under a later manifest, name that with --manifest", err)
		}
		if err != nil {
			f.Wipe()
			return nil, fmt.Errorf("key %s: %w", id, err)
		}
		f.Keys = append(f.Keys, exit.Key{
			ID: id.String(), Owner: k.Owner, Suite: k.Suite, Generation: int(k.Generation), PublicKey: k.PublicKey,
			ChainCode: wire.ChainCode(k.MadeBy, id.Index), Commitments: k.Commitments,
		})
	}
	return f, nil
}

func mayLeave(k *keystore.Key, id wire.KeyID, frozen *wire.Frozen) error {
	if !k.Complete {
		return errors.New("not all nodes have certified it, as far as this one has read KEYS: start its worker until it " +
			"is ready")
	}
	if why := frozen.Work(k.Owner, []wire.KeyID{id}); why != nil {
		return fmt.Errorf("%w. Nothing that is frozen leaves a node: have it lifted, start the worker until it has heard of "+
			"that, and stop it again", why)
	}
	return nil
}

// exported are the keys of one batch in a file.
type exported struct {
	id, owner, suite string
	indexes          []int // ascending
}

// batchesOf lists what is in a file, whose keys are in order.
func batchesOf(f *exit.File) (all []exported) {
	for _, k := range f.Keys {
		id, _ := wire.ParseKeyID(k.ID) // it was made of one
		if len(all) == 0 || all[len(all)-1].id != id.Batch {
			all = append(all, exported{id: id.Batch, owner: k.Owner, suite: k.Suite.String()})
		}
		last := &all[len(all)-1]
		last.indexes = append(last.indexes, id.Index)
	}
	return all
}

// maxReason leaves room in an audit record's reason for the rest of its sentence.
const maxReason = 450

// ranges writes ascending numbers as "0-3, 7", in texts of at most so many bytes.
func ranges(numbers []int, most int) (texts []string) {
	text := ""
	for i := 0; i < len(numbers); {
		j := i + 1
		for j < len(numbers) && numbers[j] == numbers[j-1]+1 {
			j++
		}
		one := strconv.Itoa(numbers[i])
		if j-i > 1 {
			one += "-" + strconv.Itoa(numbers[j-1])
		}
		i = j
		switch {
		case text == "":
			text = one
		case len(text)+len(", ")+len(one) > most:
			texts, text = append(texts, text), one
		default:
			text += ", " + one
		}
	}
	return append(texts, text)
}
