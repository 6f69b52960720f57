package client

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// outputKey is the key that a signature must verify under, as it follows from
// the key that the caller named: suite is empty if none was.
type outputKey struct {
	suite string
	key   []byte
	point *vartime.Point // bitcoin: with key as its x-coordinate, if it is known
	err   error
}

// outputKeys are those of the items of a job: of many, each key under each tweak once, and
// all at once in the project's own arithmetic. check has some of them computed again.
func outputKeys(branches *derive.Cache, items []SignItem) []outputKey {
	if len(items) == 1 {
		return []outputKey{libraryKey(branches, items[0])}
	}
	keys := make([]outputKey, len(items))
	taproot, others := taprootKeys{of: map[taprootKey]int{}}, []int{}
	for i, it := range items {
		root := len(it.ScriptRoot)
		switch n := len(it.PublicKey); {
		case n == 0:
		case n == 33 && (root == 0 || root == 32):
			taproot.add(i, it)
		case n == 33:
			keys[i] = libraryKey(branches, it) // the error
		default:
			others = append(others, i)
		}
	}
	taproot.compute(branches, keys)
	for i, it := range items {
		if len(it.PublicKey) == 33 && keys[i].err != nil {
			keys[i] = otherwise(libraryKey(branches, it))
		}
	}
	asked := make([]SignItem, len(others))
	for j, i := range others {
		asked[j] = items[i]
	}
	found, errs := signers(branches, asked)
	for j, i := range others {
		keys[i] = outputKey{suite: SuiteEd25519, key: found[j], err: errs[j]}
	}
	return keys
}

// otherwise is what a library makes of a key of which there is no output key.
func otherwise(k outputKey) outputKey {
	if k.err == nil {
		k.err = fmt.Errorf("%w: there is no output key, and by btcd's library it is %x", ErrDisagreement, k.key)
	}
	return k
}

// libraryKey computes an output key with btcd's library.
func libraryKey(branches *derive.Cache, it SignItem) outputKey {
	if len(it.PublicKey) == 0 {
		return outputKey{}
	}
	signers, errs := signers(branches, []SignItem{it})
	if len(it.PublicKey) != 33 {
		return outputKey{suite: SuiteEd25519, key: signers[0], err: errs[0]}
	}
	k := outputKey{suite: SuiteSecp256k1TR, err: errs[0]}
	if k.err == nil {
		k.key, k.err = TaprootOutputKey(signers[0], it.ScriptRoot)
	}
	return k
}

// taprootKey is all that an output key follows from.
type taprootKey struct {
	public [33]byte
	path   string
	chain  [32]byte // with a path
	tweak  frost.Tweak
}

// taprootKeys are the keys of a job's items, each once.
type taprootKeys struct {
	of     map[taprootKey]int // its place
	keys   []derive.Descendant
	tweaks []frost.Tweak
	errs   []error // nil, or why it is none
	items  []taprootItem
}

// taprootItem is an item's place in the job, and its key's.
type taprootItem struct{ item, key int }

func (k *taprootKeys) add(item int, it SignItem) {
	key := taprootKey{public: [33]byte(it.PublicKey), path: it.Path, tweak: frost.Tweak{Mode: frost.TweakBIP86}}
	if it.Path != "" {
		key.chain = [32]byte(it.ChainCode)
	}
	if len(it.ScriptRoot) == 32 {
		key.tweak = frost.Tweak{Mode: frost.TweakScriptRoot, Root: [32]byte(it.ScriptRoot)}
	}
	at, seen := k.of[key]
	if !seen {
		at = len(k.keys)
		k.of[key] = at
		root := derive.Key{Suite: frost.Secp256k1TR, PublicKey: it.PublicKey, ChainCode: key.chain}
		var path derive.Path
		var err error
		if it.Path != "" {
			path, err = derive.ParsePath(it.Path)
		}
		k.keys = append(k.keys, derive.Descendant{Root: root, Path: path})
		k.tweaks, k.errs = append(k.tweaks, key.tweak), append(k.errs, err)
	}
	k.items = append(k.items, taprootItem{item, at})
}

// compute puts the output keys into those of all items.
func (k *taprootKeys) compute(branches *derive.Cache, into []outputKey) {
	points, errs := branches.OutputPoints(k.keys, k.tweaks)
	found := make([]outputKey, len(k.keys))
	for at := range found {
		found[at] = outputKey{suite: SuiteSecp256k1TR, point: &points[at], err: cmp.Or(k.errs[at], errs[at])}
		if found[at].err == nil {
			x := points[at].X()
			found[at].key = x[:]
		}
	}
	for _, it := range k.items {
		into[it.item] = found[it.key]
	}
}

// signers are the keys that sign: those of items, or the children of them to which
// paths lead. What can't be a key was refused before.
func signers(branches *derive.Cache, items []SignItem) ([][]byte, []error) {
	keys, astray := make([]derive.Descendant, len(items)), map[int]error{}
	for i, it := range items {
		keys[i].Root.PublicKey = it.PublicKey
		if it.Path == "" || len(it.PublicKey) == 0 {
			continue
		}
		keys[i].Root.Suite, keys[i].Root.ChainCode = frost.Ed25519, [32]byte(it.ChainCode)
		if len(it.PublicKey) == 33 {
			keys[i].Root.Suite = frost.Secp256k1TR
		}
		var err error
		if keys[i].Path, err = derive.ParsePath(it.Path); err != nil {
			astray[i] = err
		}
	}
	found, errs := branches.PublicKeys(keys)
	for i, err := range astray {
		errs[i] = err
	}
	return found, errs
}

// check compares the key that a gateway says has signed.
func (k outputKey) check(suite string, got []byte) error {
	switch {
	case k.suite == "":
		return nil
	case k.err != nil:
		return k.err
	case suite != k.suite || !bytes.Equal(got, k.key):
		return fmt.Errorf("signed by key %x in suite %.64q, want %x in %s", got, suite, k.key, k.suite)
	}
	return nil
}
