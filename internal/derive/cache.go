package derive

import (
	"encoding/binary"
	"sync"
)

// Cache keeps the branches that were asked for, up to a number of them. Most children
// that sign are of few parents, such as a client's receiving chain, and an offset
// from a parent that is decoded costs an eighth of what it costs from the root. What is
// kept is public, and follows from what was asked: a cache changes no answer. It may
// be used concurrently.
type Cache struct {
	max  int
	mu   sync.Mutex
	held map[string]*Branch
}

// NewCache returns an empty cache for max branches, each of which takes half a kilobyte.
func NewCache(max int) *Cache { return &Cache{max: max, held: make(map[string]*Branch)} }

// Branch is [NewBranch].
func (c *Cache) Branch(root Key, path Path) (*Branch, error) {
	id := root.id(path)
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

// id is everything that a branch follows from, with no two of them alike: the key has
// its length before it, and the path comes last.
func (k Key) id(path Path) string {
	id := make([]byte, 0, 1+32+1+33+4*MaxDepth)
	id = append(append(id, byte(k.Suite)), k.ChainCode[:]...)
	id = append(binary.AppendUvarint(id, uint64(len(k.PublicKey))), k.PublicKey...)
	for _, index := range path {
		id = binary.BigEndian.AppendUint32(id, index)
	}
	return string(id)
}
