package protocol

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// What is computed of a session's messages in chunks of its items. Each item is a session of its own for the
// mathematics, and so a chunk shows of its items what the whole shows of them, and who is to blame.

// aggregateChunks is [frost.Aggregate] in chunks. What nodes sent has the lengths that it needs.
func aggregateChunks(
	each Each, form frost.Form, items []frost.Item, set []frost.NonceCommitment, shares [][]byte,
) ([]frost.Signature, []frost.Blame, error) {
	nonces := form.NonceSize(items[0].Key.Suite)
	sigs := make([]frost.Signature, len(items))
	count := (len(items) + chunkItems - 1) / chunkItems
	blames, errs := make([][]frost.Blame, count), make([]error, count)
	each.chunks(len(items), func(from, to int) {
		part, answers := make([]frost.NonceCommitment, len(set)), make([][]byte, len(shares))
		for i, c := range set {
			part[i] = frost.NonceCommitment{Index: c.Index, Points: c.Points[from*nonces : to*nonces]}
			answers[i] = shares[i][from*frost.ScalarSize : to*frost.ScalarSize]
		}
		made, blame, err := frost.Aggregate(form, items[from:to], part, answers)
		copy(sigs[from:to], made)
		for i := range blame {
			if blame[i].Item != frost.AllItems {
				blame[i].Item += from
			}
		}
		if blames[from/chunkItems] = blame; err != nil {
			errs[from/chunkItems] = fmt.Errorf("items from %d: %w", from, err)
		}
	})
	var all []frost.Blame
	for _, blame := range blames {
		all = append(all, blame...)
	}
	return sigs, all, errors.Join(errs...)
}

// checkCommitment is [frost.CheckCommitment] in chunks.
func checkCommitment(each Each, form frost.Form, suite frost.Suite, count int, points []byte) error {
	size := form.NonceSize(suite)
	if count <= chunkItems || len(points) != count*size {
		return frost.CheckCommitment(form, suite, count, points)
	}
	errs := make([]error, (count+chunkItems-1)/chunkItems)
	each.chunks(count, func(from, to int) {
		if err := frost.CheckCommitment(form, suite, to-from, points[from*size:to*size]); err != nil {
			errs[from/chunkItems] = fmt.Errorf("items from %d: %w", from, err)
		}
	})
	return errors.Join(errs...)
}
