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
	wire.NodeCard
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
// order: there is one for each index from 0, and no key stands twice.
func Join(m *wire.Manifest, cards []Card) error {
	cards = slices.Clone(cards)
	slices.SortStableFunc(cards, func(a, b Card) int { return cmp.Compare(a.Index, b.Index) })
	var errs []error
	for i, c := range cards {
		if i > 0 && c.Index == cards[i-1].Index {
			errs = append(errs, fmt.Errorf("%s and %s are both of node %d: set [node] index in one and enroll it again", cards[i-1].File, c.File, c.Index))
		}
	}
	for i := range cards {
		if !slices.ContainsFunc(cards, func(c Card) bool { return c.Index == i }) {
			errs = append(errs, fmt.Errorf("there is no card of node %d: %d nodes have the indices 0 to %d", i, len(cards), len(cards)-1))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	m.N = len(cards)
	m.Nodes = nil
	for _, c := range cards {
		m.Nodes = append(m.Nodes, c.NodeCard)
	}
	return m.Seal()
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
