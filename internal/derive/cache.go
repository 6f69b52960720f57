package derive

import (
	"sync"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Cache keeps the branches that were asked for, up to a number of them. Most children
// that sign are of few parents, such as a client's receiving chain, and an offset
// from a parent that is decoded costs a twentieth of what it costs from the root. What is
// kept is public, and follows from what was asked: a cache changes no answer. It may
// be used concurrently.
type Cache struct {
	max  int
	mu   sync.Mutex
	held map[branchID]*Branch
}

// NewCache returns an empty cache for max branches, each of which takes 1 to 1.3 kilobytes.
func NewCache(max int) *Cache { return &Cache{max: max, held: make(map[branchID]*Branch)} }

// Branch is [NewBranch].
func (c *Cache) Branch(root Key, path Path) (*Branch, error) {
	id, ok := root.id(path)
	if !ok {
		return NewBranch(root, path) // which says what is wrong
	}
	c.mu.Lock()
	b := c.held[id]
	c.mu.Unlock()
	if b != nil {
		return b, nil
	}
	b, err := NewBranch(root, path)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for other := range c.held { // in no order: whoever asks for many can't choose what goes
		if len(c.held) < c.max {
			break
		}
		delete(c.held, other)
	}
	if len(c.held) < c.max {
		c.held[id] = b
	}
	return b, nil
}

// Offsets is [Key.Offsets].
func (c *Cache) Offsets(root Key, path Path) ([][32]byte, error) {
	if len(path) == 0 {
		return nil, nil
	}
	last := len(path) - 1
	b, err := c.Branch(root, path[:last])
	if err != nil {
		return nil, err
	}
	return b.Offsets(path[last])
}

// branchID is everything that a branch follows from, with no two of them alike.
type branchID struct {
	suite  frost.Suite
	public [33]byte
	size   int // of public
	chain  [32]byte
	path   [MaxDepth]uint32
	depth  int
}

// id is the branch's name, if there can be one.
func (k *Key) id(path Path) (id branchID, ok bool) {
	if len(k.PublicKey) > len(id.public) || len(path) > len(id.path) {
		return id, false
	}
	id = branchID{suite: k.Suite, chain: k.ChainCode, size: len(k.PublicKey), depth: len(path)}
	copy(id.public[:], k.PublicKey)
	copy(id.path[:], path)
	return id, true
}
