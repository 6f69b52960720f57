package board

import (
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Holdings is the set of finished batches that a program has, in buckets with a digest
// each. Adding one costs a search and a copy within its bucket; the digest is made anew
// when somebody asks for it. It is not safe for concurrent use.
type Holdings struct {
	buckets [wire.HoldingBuckets]bucket
	count   int
}

type bucket struct {
	in     []wire.Holding // ascending
	digest [16]byte
	fresh  bool // digest is that of in
}

// Add adds a batch. It reports whether it is a new one.
func (h *Holdings) Add(of wire.Holding) bool {
	b := &h.buckets[of.Bucket()]
	at, found := slices.BinarySearchFunc(b.in, of, wire.Holding.Compare)
	if !found {
		b.in, b.fresh = slices.Insert(b.in, at, of), false
		h.count++
	}
	return !found
}

// Remove takes a batch out.
func (h *Holdings) Remove(of wire.Holding) {
	b := &h.buckets[of.Bucket()]
	if at, found := slices.BinarySearchFunc(b.in, of, wire.Holding.Compare); found {
		b.in, b.fresh = slices.Delete(b.in, at, at+1), false
		h.count--
	}
}

// Has reports whether a batch is in the set.
func (h *Holdings) Has(of wire.Holding) bool {
	_, found := slices.BinarySearchFunc(h.buckets[of.Bucket()].in, of, wire.Holding.Compare)
	return found
}

// Len counts the batches.
func (h *Holdings) Len() int { return h.count }

// Digest is that of one bucket.
func (h *Holdings) Digest(i int) [16]byte {
	b := &h.buckets[i]
	if !b.fresh {
		b.digest, b.fresh = wire.BucketDigest(i, b.in), true
	}
	return b.digest
}

// Digests are those of all buckets, one after the other.
func (h *Holdings) Digests() []byte {
	all := make([]byte, 0, len(h.buckets)*16)
	for i := range h.buckets {
		digest := h.Digest(i)
		all = append(all, digest[:]...)
	}
	return all
}

// Root is one hash of all that is in the set.
func (h *Holdings) Root() [32]byte { return wire.HoldingsRoot(uint64(h.count), h.Digests()) }

// Differing lists the buckets of which somebody else's digest is another one.
func (h *Holdings) Differing(o *wire.Held) (buckets []int) {
	for i := range h.buckets {
		if o.Digest(i) != h.Digest(i) {
			buckets = append(buckets, i)
		}
	}
	return buckets
}

// Answer answers a question about digests or lists; nil is one about an entry.
func (h *Holdings) Answer(a *wire.Ask) *wire.Held {
	held := &wire.Held{Version: wire.HoldingsVersion, Kind: a.Kind, Number: a.Number, Count: uint64(h.count)}
	switch a.Kind {
	case wire.AskDigests:
		held.Data = h.Digests()
	case wire.AskList:
		in := h.buckets[a.Holding.Bucket()].in
		at, found := slices.BinarySearchFunc(in, a.Holding, wire.Holding.Compare)
		if found {
			at++
		}
		end := min(at+wire.MaxHoldings, len(in))
		held.More = end < len(in)
		for _, one := range in[at:end] {
			held.Data = append(held.Data, one[:]...)
		}
	default:
		return nil
	}
	return held
}
