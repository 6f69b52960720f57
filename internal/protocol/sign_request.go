package protocol

import (
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signRequest is what a task asks of a session. It does not change, so that
// computations may read it.
type signRequest struct {
	session [32]byte
	job     *wire.Job
	digest  [32]byte // of the job
	client  string
	trace   string
	draft   string       // of BIP 445, as the task names it
	which   []uint32     // the job's items in this session
	keys    []wire.KeyID // of these
	// deadline is when nobody waits any more, by this node's clock; zero: it is not known.
	// It is set before the session begins.
	deadline time.Time
}

// until is when a nonce or a share must not leave the node any more.
func (r *signRequest) until() time.Time {
	if !r.deadline.IsZero() && r.deadline.Before(r.job.Expires) {
		return r.deadline
	}
	return r.job.Expires
}

func newSignRequest(m *wire.Manifest, task *wire.Task, job *wire.Job) (*signRequest, error) {
	if task.Part != 0 || len(task.Items) == 0 || int(task.Items[len(task.Items)-1]) >= len(job.Items) {
		return nil, fmt.Errorf("sign task %s: part %d or items out of range", job.ID, task.Part)
	}
	if task.Draft == "" {
		return nil, fmt.Errorf("sign task %s: the task names no draft of BIP 445, so its gateway runs a version from before "+
			"drafts were named; this node signs by draft %s: run one version everywhere", job.ID, bip445.Draft)
	}
	r := &signRequest{
		session: task.Session(m), job: job, digest: task.Job.Digest(m), client: task.Job.Client, trace: task.Job.Trace,
		which: task.Items, draft: task.Draft, keys: make([]wire.KeyID, len(task.Items)),
	}
	for i, w := range task.Items {
		if err := job.Items[w].Check(); err != nil {
			return nil, fmt.Errorf("sign task %s: item %d: %w", job.ID, w, err)
		}
		r.keys[i], _ = wire.ParseKeyID(job.Items[w].Key)
	}
	return r, nil
}

// check makes items of what the keystore gave, and of the paths in the job that the
// client signed.
func (r *signRequest) check(keys []LoadedKey, branches *derive.Cache) ([]frost.Item, *wire.JobError) {
	items := make([]frost.Item, len(r.which))
	for i, w := range r.which {
		it := &r.job.Items[w]
		if i >= len(keys) || keys[i].Key == nil {
			return nil, wire.Refuse(wire.CodeUnknownKey, "item %d: key %s is not in this node's keystore", w, it.Key)
		}
		if keys[i].Owner != r.client {
			return nil, wire.Refuse(wire.CodeNotOwner, "item %d: key %s belongs to another client", w, it.Key)
		}
		if keys[i].Key.Suite == frost.Secp256k1TR && r.draft != bip445.Draft {
			return nil, wire.Refuse(wire.CodeOtherDraft, "the gateway aggregates by BIP 445 draft %q, and this node signs by "+
				"draft %s: run one version everywhere", r.draft, bip445.Draft)
		}
		items[i] = frost.Item{Key: keys[i].Key, Message: it.Message, Tweak: it.Tweak(keys[i].Key.Suite)}
		if err := checkItem(items[i], items[0]); err != nil {
			return nil, wire.Refuse(err.Code, "item %d: %s", w, err.Reason)
		}
		if it.Path == nil {
			continue
		}
		var err *wire.JobError
		if items[i].Offsets, err = offsetsOf(branches, it, keys[i].Key, keys[i].Transcript); err != nil {
			return nil, wire.Refuse(err.Code, "item %d: %s", w, err.Reason)
		}
	}
	return items, nil
}

// checkItem validates an item, which has the suite of the session's first.
func checkItem(item, first frost.Item) *wire.JobError {
	if item.Key.Suite != first.Key.Suite {
		return wire.Refuse(wire.CodeBadMessage, "a %s key among %s keys: publish a job for each suite",
			item.Key.Suite, first.Key.Suite)
	}
	if item.Key.Suite != frost.Secp256k1TR && item.Tweak.Mode != frost.TweakNone {
		return wire.Refuse(wire.CodeBadTweak, "script_root with a %s key: only keys of %s are tweaked", item.Key.Suite,
			frost.Secp256k1TR)
	}
	if err := item.Validate(); err != nil {
		return wire.Refuse(wire.CodeBadMessage, "%v", err)
	}
	return nil
}

func wipeLoaded(keys []LoadedKey) {
	for _, k := range keys {
		if k.Key != nil {
			k.Key.Share.Wipe()
		}
	}
}

func wipeItems(items []frost.Item) {
	for _, it := range items {
		it.Key.Share.Wipe()
	}
}
