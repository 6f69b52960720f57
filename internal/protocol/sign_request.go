package protocol

import (
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
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
	size    int          // of its payload, in bytes
	draft   string       // of BIP 445, as the task names it
	form    frost.Form   // of its rounds
	network string       // of the manifest
	which   []uint32     // the job's items in this session; of a request that is read: its signatures
	keys    []wire.KeyID // of these items; of such a request: all that it names
	// approvals are the task's word, until they are verified.
	approvals []wire.Approval
	// deadline is when nobody waits any more, by this node's clock; zero: it is not known.
	// It is set before the session begins.
	deadline time.Time
	// expires is when the job is over: of one that waits for approvals at the latest, until
	// they are verified (judged).
	expires time.Time
}

// work is how many items a session has the work of. All of a request is read for any of its
// signatures, also what is not the client's.
func (r *signRequest) work() int {
	if len(r.job.Items) > 0 {
		return len(r.which)
	}
	return max(len(r.which), sizeOf(r.job))
}

// until is when a nonce or a share must not leave the node any more.
func (r *signRequest) until() time.Time {
	if !r.deadline.IsZero() && r.deadline.Before(r.expires) {
		return r.deadline
	}
	return r.expires
}

func newSignRequest(m *wire.Manifest, task *wire.Task, job *wire.Job) (*signRequest, error) {
	if task.Part != 0 || len(task.Items) == 0 {
		return nil, fmt.Errorf("sign task %s: part %d, or no items", job.ID, task.Part)
	}
	if task.Draft == "" {
		return nil, fmt.Errorf("sign task %s: the task names no draft of BIP 445, so its gateway runs a version from before "+
			"drafts were named; this node signs by draft %s: run one version everywhere", job.ID, bip445.Draft)
	}
	r := &signRequest{
		session: task.Session(m), job: job, digest: task.Job.Digest(m), client: task.Job.Client, trace: task.Job.Trace,
		which: task.Items, draft: task.Draft, form: frost.Form(task.Form), network: m.Network, approvals: task.Job.Approvals, size: len(task.Job.Payload),
		expires: job.Over(),
	}
	if len(job.Items) == 0 { // what there is to sign shows when it is read
		for _, k := range job.Keys {
			id, _ := wire.ParseKeyID(k.Key) // Parse saw to it
			r.keys = append(r.keys, id)
		}
		return r, nil
	}
	if int(task.Items[len(task.Items)-1]) >= len(job.Items) {
		return nil, fmt.Errorf("sign task %s: items out of range", job.ID)
	}
	r.keys = make([]wire.KeyID, len(task.Items))
	for i, w := range task.Items {
		if err := job.Items[w].Check(); err != nil {
			return nil, fmt.Errorf("sign task %s: item %d: %w", job.ID, w, err)
		}
		r.keys[i], _ = wire.ParseKeyID(job.Items[w].Key)
	}
	return r, nil
}

// checkedRequest is what a session signs, and what its job means.
type checkedRequest struct {
	items []frost.Item
	means *intent.Intent // nil: the job has items, which mean nothing
}

// check makes items of what the keystore gave, and of what the client signed. moved tells
// which of the keys this node signs with no more; nil: it signs nothing of all this, and only
// wants to know what the job means.
func (r *signRequest) check(keys []LoadedKey, moved []bool, branches *derive.Cache) (checkedRequest, *wire.JobError) {
	for i, id := range r.keys {
		place := "keys"
		if len(r.job.Items) > 0 {
			place = "item"
		}
		switch {
		case moved != nil && moved[i] && len(r.job.Items) > 0:
			return checkedRequest{}, errMoved(place, r.place(i), id)
		case i >= len(keys) || keys[i].Key == nil:
			return checkedRequest{}, unknownKey(place, r.place(i), id)
		case keys[i].Owner != r.client:
			return checkedRequest{}, wire.Refuse(wire.CodeNotOwner, "%s %d: key %s belongs to another client", place,
				r.place(i), id)
		case keys[i].Key.Suite == frost.Secp256k1TR && r.draft != bip445.Draft:
			return checkedRequest{}, wire.Refuse(wire.CodeOtherDraft, "the gateway aggregates by BIP 445 draft %q, and this node signs "+
				"by draft %s: run one version everywhere", r.draft, bip445.Draft)
		}
	}
	if len(r.job.Items) == 0 {
		return r.read(keys, moved, branches)
	}
	check := frost.Item.Validate
	if moved == nil {
		check = frost.Item.ValidateRequest
	}
	items, err := r.checkItems(keys, branches, check)
	return checkedRequest{items: items}, err
}

func unknownKey(place string, at uint32, id wire.KeyID) *wire.JobError {
	return wire.Refuse(wire.CodeUnknownKey, "%s %d: key %s is not in this node's keystore", place, at, id)
}

// place is where in the job key i of the session stands.
func (r *signRequest) place(i int) uint32 {
	if len(r.job.Items) == 0 {
		return uint32(i)
	}
	return r.which[i]
}

// read reads the request, and takes those of its signatures that the task names. Shares
// of keys that sign none of them are wiped. A key that has moved, or that only others have
// shares of, is read as the others are, and signs nothing here.
func (r *signRequest) read(keys []LoadedKey, moved []bool, branches *derive.Cache) (checkedRequest, *wire.JobError) {
	roots := make([]rootKey, len(keys))
	for i, k := range keys {
		roots[i] = rootKey{k.Key, k.MadeBy, k.Public}
	}
	reading, all, err := readRequest(r.network, r.job, roots, branches)
	if err != nil {
		return checkedRequest{}, err
	}
	if last := r.which[len(r.which)-1]; int(last) >= len(all) {
		return checkedRequest{}, wire.Refuse(wire.CodeMalformedJob, "the task lists signature %d, and the request asks for %d",
			last, len(all))
	}
	items, used := make([]frost.Item, len(r.which)), map[*frost.Key]bool{}
	for i, w := range r.which {
		items[i] = all[w]
		used[items[i].Key] = true
	}
	for i, k := range keys {
		switch signs := moved != nil && used[k.Key]; {
		case signs && moved[i]:
			return checkedRequest{}, errMoved("keys", r.place(i), r.keys[i])
		case signs && k.Public:
			return checkedRequest{}, unknownKey("keys", r.place(i), r.keys[i])
		}
	}
	for _, k := range keys {
		if !used[k.Key] {
			k.Key.Share.Wipe()
		}
	}
	return checkedRequest{items, reading.Intent()}, nil
}

// checkItems makes the items of a job that lists them.
func (r *signRequest) checkItems(
	keys []LoadedKey, branches *derive.Cache, check func(frost.Item) error,
) ([]frost.Item, *wire.JobError) {
	items := make([]frost.Item, len(r.which))
	var children []child
	for i, w := range r.which {
		it := &r.job.Items[w]
		items[i] = frost.Item{Key: keys[i].Key, Message: it.Message, Tweak: it.Tweak(keys[i].Key.Suite)}
		if err := checkItem(items[i], items[0], check); err != nil {
			return nil, wire.Refuse(err.Code, "item %d: %s", w, err.Reason)
		}
		if it.Path != nil {
			children = append(children, child{i, it, keys[i].Key, keys[i].MadeBy, r.keys[i].Index})
		}
	}
	offsets, refused := offsetsOf(branches, children)
	for n, c := range children {
		if items[c.item].Offsets = offsets[n]; refused[n] != nil {
			return nil, wire.Refuse(refused[n].Code, "item %d: %s", r.which[c.item], refused[n].Reason)
		}
	}
	return items, nil
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
