package fleet

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A Card is one that a node printed, and the file that it came in.
type Card struct {
	wire.Card
	File string
}

const maxCardFile = 64 << 10 // bytes

// ReadCard reads a file with what frost-worker enroll printed.
func ReadCard(path string) (Card, error) {
	f, err := os.Open(path)
	if err != nil {
		return Card{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCardFile))
	if err != nil {
		return Card{}, err
	}
	card, err := wire.ParseCard(data)
	if err != nil {
		return Card{}, fmt.Errorf("%s: %w", path, err)
	}
	return Card{card, path}, nil
}

// Join completes and seals a manifest with the cards of all its nodes, in any
// order: all are of the manifest's fleet, there is one for each index from 0,
// and no key is listed twice.
func Join(m *wire.Manifest, cards []Card) error {
	if len(cards) == 0 {
		return errors.New("there are no cards: give one of each node")
	}
	cards = slices.Clone(cards)
	slices.SortStableFunc(cards, func(a, b Card) int { return cmp.Compare(a.Index, b.Index) })
	m.N, m.Nodes = cards[0].N, nil
	var errs []error
	for i, c := range cards {
		errs = append(errs, c.check(m, cards[0]))
		if i > 0 && c.Index == cards[i-1].Index {
			errs = append(errs, fmt.Errorf("%s and %s are both of node %d: set [node] index in one and enroll it again",
				cards[i-1].File, c.File, c.Index))
		}
		m.Nodes = append(m.Nodes, c.NodeCard)
	}
	for i := range min(m.N, wire.MaxNodes) {
		if !slices.ContainsFunc(cards, func(c Card) bool { return c.Index == i }) {
			errs = append(errs,
				fmt.Errorf("there is no card of node %d: %d nodes have the indices 0 to %d", i, m.N, m.N-1))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return m.Seal()
}

// check finds a card that was made for another fleet than the manifest's, or
// for another number of nodes than the first card.
func (c Card) check(m *wire.Manifest, first Card) error {
	var errs []error
	differs := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: node %d "+format, append([]any{c.File, c.Index}, args...)...))
	}
	if c.Fleet != m.Fleet {
		differs("enrolled for fleet %q, not %q: enroll it again with --fleet, or correct --name", c.Fleet, m.Fleet)
	}
	if c.Network != m.Network {
		differs("is on %q, not %q: correct [network] type in its file and enroll it again, or correct --network",
			c.Network, m.Network)
	}
	if c.Epoch != m.Epoch {
		differs("enrolled for epoch %d, not %d: enroll it again with --epoch, or correct --epoch here", c.Epoch,
			m.Epoch)
	}
	if c.T != m.T {
		differs("has min_signers = %d, not %d: correct it in its file and enroll it again, or correct --threshold", c.T,
			m.T)
	}
	if c.N != first.N {
		differs("has max_signers = %d, and %s has %d: correct one and enroll it again", c.N, first.File, first.N)
	}
	if c.Index >= c.N {
		differs("is not one of %d nodes, which have the indices 0 to %d", c.N, c.N-1)
	}
	return errors.Join(errs...)
}

// WriteManifest writes a manifest into a new file.
func WriteManifest(path string, m *wire.Manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	err = writeNew(path, append(data, '\n'))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and is not replaced: a fleet keeps its manifest for ever: %w", path, fs.ErrExist)
	}
	return err
}
