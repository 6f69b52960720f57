package client

import (
	"iter"
	"runtime"
	"sync"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/derive"
)

// Address is the address of one child.
type Address struct {
	Path    string // from the key, such as "0/17": what a sign job names beside the key
	Address string // on the manifest's network
}

// Address returns the address at one index of a branch.
func (a *Account) Address(branch Branch, index uint32) (Address, error) {
	for address, err := range a.Addresses(branch, index, 1) {
		return address, err
	}
	panic("client: a run of one address has none")
}

// chunk is how many addresses are computed at a time by one thread: enough to share the
// costly steps, and 100 kB.
const chunk = 1000

// Addresses returns count consecutive addresses of a branch, from index first on. They
// are computed while they are read, by all cores and a few thousand ahead: memory does
// not grow with count. An error is the last thing that comes; it is an *AccountError.
func (a *Account) Addresses(branch Branch, first uint32, count int) iter.Seq2[Address, error] {
	return func(yield func(Address, error) bool) {
		b, err := a.branch(branch, first, count)
		if err != nil {
			yield(Address{}, err)
			return
		}
		// An address in the text of this path differs in its end alone.
		prefix := append(append(derive.Path{}, a.path...), uint32(branch)).String() + "/"
		next := a.compute(b, first, count)
		for done := 0; done < count; {
			all := <-next
			done += len(all.addresses)
			if all.err == nil && done < count {
				next = a.compute(b, first+uint32(done), count-done) // while these are read
			}
			for i, address := range all.addresses {
				if !yield(Address{prefix + derive.Path{all.first + uint32(i)}.String(), address}, nil) {
					return
				}
			}
			if all.err != nil {
				yield(Address{}, accountError(all.err))
				return
			}
		}
	}
}

// branch checks a question, and returns the parent of what was asked for.
func (a *Account) branch(branch Branch, first uint32, count int) (*derive.Branch, error) {
	switch {
	case branch != Receive && branch != Change:
		return nil, refuseAccount(CodeBadPath, "branch %d: want 0 to receive or 1 for change", branch)
	case first > MaxIndex:
		return nil, refuseAccount(CodeBadPath, "index %d: want 0 to %d", first, MaxIndex)
	case count < 1 || int64(count) > MaxIndex+1-int64(first):
		return nil, refuseAccount(CodeBadCount, "%d addresses from index %d on: want 1 to %d", count, first,
			MaxIndex+1-int64(first))
	}
	b, err := derive.NewBranch(a.root, append(append(derive.Path{}, a.path...), uint32(branch)))
	if err != nil {
		return nil, accountError(err)
	}
	return b, nil
}

// computed are some consecutive addresses, and the error after them.
type computed struct {
	first     uint32
	addresses []string
	err       error
}

// compute has every core compute a chunk, of at most count addresses in all.
func (a *Account) compute(b *derive.Branch, first uint32, count int) <-chan computed {
	done := make(chan computed, 1) // nobody need wait for it
	go func() {
		parts := make([]computed, min(runtime.GOMAXPROCS(0), (count-1)/chunk+1))
		var wg sync.WaitGroup
		for i := range parts {
			wg.Go(func() {
				p := &parts[i]
				p.first = first + uint32(i*chunk)
				p.addresses, p.err = chain.Children(a.key.Chain, a.key.network, b, p.first, min(chunk, count-i*chunk))
			})
		}
		wg.Wait()
		all := computed{first: first}
		for _, p := range parts {
			if all.err == nil {
				all.addresses, all.err = append(all.addresses, p.addresses...), p.err
			}
		}
		done <- all
	}()
	return done
}
