package frost

import "github.com/frostfleet/frostfleet/internal/secret"

// A batch whose deals are too large for one message is reshared in slices of its keys, each by
// deals and under a context of its own. Keys of a batch have nothing in common, so what each
// slice comes to, one behind the other, is the batch.

// Part is the public part of the keys from first to end-1.
func (p *Public) Part(first, end int) *Public {
	size := len(p.Commitments) / len(p.PublicKeys)
	return &Public{PublicKeys: p.PublicKeys[first:end], Commitments: p.Commitments[first*size : end*size]}
}

// JoinPublic is the public part of a batch of which the slices have these.
func JoinPublic(slices []*Public) *Public {
	all := &Public{}
	for _, p := range slices {
		all.PublicKeys = append(all.PublicKeys, p.PublicKeys...)
		all.Commitments = append(all.Commitments, p.Commitments...)
	}
	return all
}

// JoinBatches is the batch of which a node holds these slices. It wipes their shares.
func JoinBatches(slices []*Batch) *Batch {
	public, size := make([]*Public, len(slices)), 0
	for i, b := range slices {
		public[i] = &b.Public
		size += len(b.Shares.Expose())
	}
	shares := make([]byte, 0, size) // so that no copy stays behind
	for _, b := range slices {
		shares = append(shares, b.Shares.Expose()...)
		b.Shares.Wipe()
	}
	return &Batch{Public: *JoinPublic(public), Shares: secret.New(shares)}
}
