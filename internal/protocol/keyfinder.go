package protocol

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// keyFinder is where a job's keys are found, and the children of these.
type keyFinder struct {
	directory *directory
	branches  *derive.Cache
	frozen    *atomic.Pointer[wire.Frozen]
	claims    map[movedBy]movedWord
}

// movedBy is a node that says that keys have moved of which this gateway does not know, and
// movedWord what it said that of: batches of which some have moved if it is true.
type (
	movedBy struct {
		view *view
		node int
	}
	movedWord struct {
		batches []string
		at      time.Time
	}
)

// claimLife is how long a gateway may take to read what a node has read of the register.
const claimLife = 5 * time.Second

// lies reports whether a node has said a while ago that keys moved, and they have not. It notes
// what the node says now.
func (f *keyFinder) lies(a *attempt, node int, now time.Time) bool {
	who := movedBy{a.view, node}
	before, said := f.claims[who]
	if said && now.Sub(before.at) < claimLife {
		return false
	}
	var batches []string
	for _, i := range a.which {
		if id := a.job.from[i].ID; !slices.Contains(batches, id) {
			batches = append(batches, id)
		}
	}
	f.claims[who] = movedWord{batches, now}
	return said && !slices.ContainsFunc(before.batches, func(id string) bool {
		is := f.directory.finished[id]
		return is == nil || is.view != a.view
	})
}

// foundKeys is what there is of a job's keys, by item.
type foundKeys struct {
	items    []frost.Item     // without those that are refused; children lack their offsets
	from     []*finishedBatch // of their keys; of a job that is to be read: of the roots
	refused  []*wire.JobError // as in activeSign
	children []child
	roots    []rootKey      // of a job that is to be read, which has no items yet
	refusal  *wire.JobError // of such a job
	suite    frost.Suite    // of all items
	missing  []wire.KeyID   // of batches that the directory does not have (yet), whose items are refused
}

// find looks the keys of a job up. Its items are judged one by one: those that are refused
// keep no others from being signed.
func (f *keyFinder) find(job *CheckedJob) foundKeys {
	if len(job.job.Keys) > 0 {
		return f.findRoots(job)
	}
	n := len(job.job.Items)
	found := foundKeys{items: make([]frost.Item, n), from: make([]*finishedBatch, n), refused: make([]*wire.JobError, n)}
	copy(found.refused, job.wrong)
	keys, first := make([]frost.Key, n), -1 // all items are of the suite of the first that is not refused
	for i, it := range job.job.Items {
		if found.refused[i] != nil {
			continue
		}
		id, _ := wire.ParseKeyID(it.Key)
		b := f.directory.find(id.Batch)
		if b == nil {
			found.missing = append(found.missing, id)
		}
		if found.refused[i] = ownKey(b, id, job.Signed.Client); found.refused[i] != nil {
			continue
		}
		if found.refused[i] = f.frozen.Load().Key(id); found.refused[i] != nil {
			continue
		}
		keys[i] = b.key(id.Index)
		item := frost.Item{Key: &keys[i], Message: it.Message, Tweak: it.Tweak(keys[i].Suite)}
		like := item
		if first >= 0 {
			like = found.items[first]
		}
		if found.refused[i] = checkItem(item, like, frost.Item.Validate); found.refused[i] != nil {
			continue
		}
		if first < 0 {
			first, found.suite = i, keys[i].Suite
		}
		found.items[i], found.from[i] = item, b
		if it.Path != nil {
			found.children = append(found.children, child{i, &job.job.Items[i], &keys[i], b.madeBy, id.Index})
		}
	}
	return found
}

// findRoots looks the keys up that a job wants to be read under. It needs them all.
func (f *keyFinder) findRoots(job *CheckedJob) foundKeys {
	kind, _ := job.job.Request()
	n := len(job.job.Keys)
	found := foundKeys{suite: wire.RequestSuite(kind), roots: make([]rootKey, n), from: make([]*finishedBatch, n)}
	for i, k := range job.job.Keys {
		id, _ := wire.ParseKeyID(k.Key) // Parse saw to it
		b := f.directory.find(id.Batch)
		if b == nil {
			found.missing = append(found.missing, id)
		}
		if refusal := ownKey(b, id, job.Signed.Client); refusal != nil {
			found.refusal = refusal
			continue
		}
		if refusal := f.frozen.Load().Key(id); refusal != nil {
			found.refusal = refusal
			continue
		}
		key := b.key(id.Index)
		found.roots[i], found.from[i] = rootKey{key: &key, transcript: b.madeBy}, b
	}
	return found
}

// ownKey refuses a key that its batch, nil if there is none, does not have or that is
// another client's.
func ownKey(b *finishedBatch, id wire.KeyID, client string) *wire.JobError {
	switch {
	case b == nil || id.Index >= int(b.header.K):
		return wire.Refuse(wire.CodeUnknownKey, "this fleet has no key %s", id)
	case b.header.Client != client:
		return wire.Refuse(wire.CodeNotOwner, "key %s belongs to another client", id)
	}
	return nil
}

// renew looks up again which generation each key has whose signature is missing: it may have
// moved since the job was found. Attempts in flight keep the keys that they have.
func (f *keyFinder) renew(j *activeSign) {
	fresh := map[wire.KeyID]*frost.Key{}
	for _, i := range j.left {
		now := f.directory.finished[j.from[i].ID]
		if now == nil || now == j.from[i] { // nil: it was refused, and nodes decide
			continue
		}
		id := j.keyOf(i)
		if fresh[id] == nil {
			key := now.key(id.Index)
			fresh[id] = &key
		}
		j.items[i].Key, j.from[i] = fresh[id], now
	}
}

// moved reports whether a key of an attempt has a later generation now.
func (f *keyFinder) moved(a *attempt) bool {
	return slices.ContainsFunc(a.which, func(i uint32) bool {
		now := f.directory.finished[a.job.from[i].ID]
		return now != nil && now.view != a.view
	})
}
