package keyprovider

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// maxCached bounds the labels in the cache. A node has three.
const maxCached = 1024

// cache keeps what Derive gave, by label, and makes one call for all callers that ask for
// a label at a time. Values are handed out as copies, and wiped when their time
// is over or at close. A failed call is reported to all that waited for it, and
// forgotten.
type cache struct {
	ttl    time.Duration
	answer func(fromMemory bool)

	mu      sync.Mutex
	entries map[string]*entry
	closed  bool
}

type entry struct {
	done  chan struct{} // closed once the call has ended
	value [32]byte      // while the cache has the entry
	err   error         // of a call that the device failed; nil also if its caller gave up
	wipe  *time.Timer   // nil until there is a value
}

func newCache(ttl time.Duration, answer func(bool)) *cache {
	return &cache{ttl: ttl, answer: answer, entries: map[string]*entry{}}
}

type deriveFunc func(context.Context, []byte) ([32]byte, error)

func (c *cache) get(ctx context.Context, label []byte, derive deriveFunc) ([32]byte, error) {
	for ctx.Err() == nil {
		e, mine, err := c.entry(string(label))
		if err != nil {
			return [32]byte{}, err
		}
		if mine {
			c.answer(false)
			value, err := derive(ctx, label)
			c.fill(ctx, string(label), e, value, err)
			return value, err
		}
		select {
		case <-e.done:
			if value, ok, err := c.read(string(label), e); ok || err != nil {
				return value, err
			}
		case <-ctx.Done():
		}
	}
	return [32]byte{}, fmt.Errorf("derive: %w", ctx.Err())
}

// entry finds a label's entry or makes it; then the call is the caller's.
func (c *cache) entry(label string) (e *entry, mine bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false, ErrClosed
	}
	if e := c.entries[label]; e != nil {
		return e, false, nil
	}
	e = &entry{done: make(chan struct{})}
	if len(c.entries) < maxCached {
		c.entries[label] = e
	}
	return e, true, nil
}

// fill ends a call for all that wait. If its caller gave up, they call
// themselves.
func (c *cache) fill(ctx context.Context, label string, e *entry, value [32]byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(e.done)
	switch {
	case c.entries[label] != e: // closed, or there were too many
	case err == nil:
		e.value, e.wipe = value, time.AfterFunc(c.ttl, func() { c.drop(label, e) })
	default:
		delete(c.entries, label)
		if ctx.Err() == nil {
			e.err = err
		}
	}
}

// read copies a value unless it was wiped since.
func (c *cache) read(label string, e *entry) (value [32]byte, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok = c.entries[label] == e; ok {
		c.answer(true)
	}
	return e.value, ok, e.err
}

func (c *cache) drop(label string, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[label] == e {
		delete(c.entries, label)
	}
	clear(e.value[:])
}

func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, e := range c.entries {
		if e.wipe != nil {
			e.wipe.Stop()
		}
		clear(e.value[:])
	}
	clear(c.entries)
}
