package wire

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// What a dealer deals of a batch may be too large for one message: 1,000 keys take 12 MiB for 128
// of 128 nodes. Then the task says how many keys go into one, and each dealer deals the batch in
// so many slices, each as if it were a batch of its own. A batch in one slice is dealt as it was
// before there were any.
//
// The size stands in the task, and in the entry that comes of it. Else every program would have
// to compute it as all others do, of all releases, for as long as there is an entry.

// MaxSlices bounds the slices of a batch: 1,000 keys take as many for 128 of 128 nodes.
const MaxSlices = 6

// MaxDeals bounds the deals of an entry.
const MaxDeals = MaxNodes * MaxSlices

// Slice is the keys that a dealer deals in one message.
type Slice struct {
	First, End int      // of the batch's keys: First to End-1
	Context    [32]byte // of its deals
}

// ID names the slice on the subjects of its deals.
func (s Slice) ID() string { return ShortID(s.Context) }

// Slices are those of an attempt that was checked, in the order of their keys: MaxSlices at most.
func (r *Reshare) Slices() []Slice {
	k, ctx := int(r.Header.K), r.Context()
	if r.PerSlice == 0 {
		return []Slice{{0, k, ctx}}
	}
	all := make([]Slice, r.SliceCount())
	for i := range all {
		all[i] = Slice{
			First: i * int(r.PerSlice), End: min((i+1)*int(r.PerSlice), k),
			Context: frost.Hash("frostfleet/reshare-slice/v1", ctx[:], Be32(uint32(i))),
		}
	}
	return all
}

// SliceCount is how many slices an attempt has.
func (r *Reshare) SliceCount() int { return sliceCount(int(r.Header.K), int(r.PerSlice)) }

func sliceCount(k, perSlice int) int {
	if perSlice == 0 {
		return 1
	}
	return (k + perSlice - 1) / perSlice
}

// checkSlices checks that a task has as few slices as MaxSlices, of a size that a message takes.
func (r *Reshare) checkSlices(next *Manifest) error {
	size := r.MaxDeal(next)
	switch {
	case r.PerSlice != 0 && r.PerSlice >= r.Header.K || r.SliceCount() > MaxSlices:
		return fmt.Errorf("resharing task of %d keys in slices of %d; want 2 to %d slices, or one that has no size",
			r.Header.K, r.PerSlice, MaxSlices)
	case size > MaxReshareDeal:
		return fmt.Errorf("a deal of %d keys to %d of %d nodes has %d bytes, and a message takes %d", r.perSlice(), next.T, next.N,
			size, MaxReshareDeal)
	}
	return nil
}

// perSlice is how many keys the largest slice has.
func (r *Reshare) perSlice() uint32 {
	if r.PerSlice != 0 {
		return r.PerSlice
	}
	return r.Header.K
}

// MaxDeal bounds the deal of one slice, in bytes. What is larger is none.
func (r *Reshare) MaxDeal(next *Manifest) int {
	return dealSize(frost.Suite(r.Header.Suite), int(r.perSlice()), next.N, next.T)
}

// PerSlice is for how many of k keys a deal to t of n nodes fits a message: of as few slices as
// there can be, all of a size but the last. 0: for all.
func PerSlice(suite frost.Suite, k, n, t int) uint32 {
	count := 1
	for count < k && dealSize(suite, (k+count-1)/count, n, t) > MaxReshareDeal {
		count++
	}
	if count == 1 {
		return 0
	}
	return uint32((k + count - 1) / count)
}

// DealBytes is how large all deals of an attempt are together, about.
func (r *Reshare) DealBytes(next *Manifest) int {
	return len(r.Dealers) * dealSize(frost.Suite(r.Header.Suite), int(r.Header.K), next.N, next.T)
}

// dealSize bounds the size of a resharing deal's body, in bytes. One key for 128 of 128 nodes
// takes 17 KiB, so one always fits.
func dealSize(suite frost.Suite, k, n, t int) int {
	const envelope, box = 1 << 10, 32 // fields and lengths; what a box has beside its shares
	return k*((t-1)*suite.PointSize()+n*frost.ScalarSize) + n*box + envelope
}
