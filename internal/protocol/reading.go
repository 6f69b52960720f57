package protocol

import (
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Jobs that carry a PSBT, a transaction or a message are read by every node and gateway for
// itself, by the same code from the bytes that the client signed. What comes of that are
// the job's items, in the order of the intent's signatures: tasks name them by their number
// alone. Nothing of it is taken from anybody (docs/protocol.md, section 12).

// rootKey is a key of a client, as the register or a node's keystore has it.
type rootKey struct {
	key        *frost.Key
	transcript [32]byte // of its batch: the chain code follows from it
	public     bool     // LoadedKey.Public
}

// readRequest reads what a job carries, under the keys that it names, in its order. The
// items are those of the intent's signatures. It takes time in proportion to the request.
func readRequest(
	network string, job *wire.Job, keys []rootKey, branches *derive.Cache,
) (tx.Reading, []frost.Item, *wire.JobError) {
	kind, content := job.Request()
	roots := make([]intent.Root, len(keys))
	for i, k := range keys {
		var err *wire.JobError
		if roots[i], err = rootOf(job, i, k); err != nil {
			return nil, nil, err
		}
	}
	reading, refusal := tx.Read(
		tx.Request{Kind: kind, Bytes: content, Roots: roots, Partial: job.Partial}, network, branches)
	if refusal != nil {
		return nil, nil, wire.Refuse(wire.Code(refusal.Code), "%s", refusal.Reason)
	}
	signatures := reading.Intent().Signatures
	if n := len(signatures); n > wire.MaxJobItems {
		return nil, nil, wire.Refuse(wire.CodeTooLarge, "the %s asks for %d signatures: a job has at most %d", kind, n,
			wire.MaxJobItems)
	}
	items := make([]frost.Item, len(signatures))
	for i, s := range signatures {
		items[i] = frost.Item{Key: keys[s.Root].key, Message: s.Message, Tweak: s.Tweak, Offsets: s.Offsets}
		check := frost.Item.Validate
		if keys[s.Root].public {
			check = frost.Item.ValidateRequest
		}
		if err := checkItem(items[i], items[0], check); err != nil {
			return nil, nil, wire.Refuse(err.Code, "signature %d: %s", s.At, err.Reason)
		}
	}
	return reading, items, nil
}

// rootOf is one of a job's keys as readers want it.
func rootOf(job *wire.Job, i int, k rootKey) (intent.Root, *wire.JobError) {
	named := job.Keys[i]
	kind, _ := job.Request()
	if want := wire.RequestSuite(kind); k.key.Suite != want {
		return intent.Root{}, wire.Refuse(wire.CodeBadMessage, "key %s is a %s key, and a %s is signed with %s keys",
			named.Key, k.key.Suite, kind, want)
	}
	id, err := wire.ParseKeyID(named.Key)
	if err != nil {
		return intent.Root{}, wire.Refuse(wire.CodeUnknownKey, "%v", err)
	}
	root := intent.Root{ID: named.Key, Key: derive.Key{
		Suite: k.key.Suite, PublicKey: k.key.PublicKey, ChainCode: wire.ChainCode(k.transcript, id.Index),
	}}
	if named.Path == nil {
		return root, nil
	}
	if root.Path, err = derive.ParsePath(*named.Path); err != nil {
		return intent.Root{}, wire.Refuse(wire.CodeBadPath, "path %.100q of key %s: %v", *named.Path, named.Key, err)
	}
	return root, nil
}

// readInline reports whether a request is so small that it is read on the spot. A list of
// items is none, and is no reason against it.
func readInline(job *wire.Job) bool {
	_, content := job.Request()
	return len(job.Keys) <= inlineChecks && len(content) <= inlineTask && (content == nil || sizeOf(job) <= inlineChecks)
}

// sizeOf is how many signatures a sign job may ask for, by a look at its bytes that costs next to nothing. It decides
// what a job waits for and how long its turn is, and nothing else.
func sizeOf(job *wire.Job) int {
	kind, content := job.Request()
	if kind == intent.Raw {
		return max(job.Count, len(job.Items))
	}
	return min(max(tx.Size(kind, content), 1), wire.MaxJobItems)
}

// checkItem validates an item, which has the suite of the session's first. check is
// frost.Item.Validate, or what goes for an item that others sign.
func checkItem(item, first frost.Item, check func(frost.Item) error) *wire.JobError {
	if item.Key.Suite != first.Key.Suite {
		return wire.Refuse(wire.CodeBadMessage, "a %s key among %s keys: publish a job for each suite",
			item.Key.Suite, first.Key.Suite)
	}
	if item.Key.Suite != frost.Secp256k1TR && item.Tweak.Mode != frost.TweakNone {
		return wire.Refuse(wire.CodeBadTweak, "script_root with a %s key: only keys of %s are tweaked", item.Key.Suite,
			frost.Secp256k1TR)
	}
	if err := check(item); err != nil {
		return wire.Refuse(wire.CodeBadMessage, "%v", err)
	}
	return nil
}
