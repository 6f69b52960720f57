package directory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// The index finds a key by its address. To compute an address costs more than all else that is
// done for a key, and to put one where its hash belongs writes a page. So both wait: until
// the gateway has computed the addresses for its result, and for many keys at once. Who asks
// for an address that is not there has the rest done at once.

// indexer is what waits for it.
type indexer struct {
	todo   atomic.Int64 // batches
	urgent chan struct{}
	mu     sync.Mutex
	round  chan struct{} // closed when all was done that was there
}

const (
	indexEvery   = 2 * time.Second
	indexBatches = 64              // at once, of a thousand keys each
	indexKeys    = 1 << 16         // at once
	indexPatient = 2 * time.Second // how long a question waits for it
)

func (x *indexer) init() {
	x.urgent, x.round = make(chan struct{}, 1), make(chan struct{})
}

func (x *indexer) added(todo int) { x.todo.Store(int64(todo)) }

// runIndex indexes what is there, now and then, until ctx ends.
func (d *Directory) runIndex(ctx context.Context) {
	tick := time.NewTicker(indexEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.index.urgent:
		}
		for d.index.todo.Load() > 0 && ctx.Err() == nil {
			if err := d.indexSome(ctx); err != nil {
				if d.file.Load().damage() == nil {
					d.note(err)
				} else {
					d.put(ctx, change{apply: func(*write) error { return err }}) // has it made anew
				}
				break
			}
		}
		d.index.mu.Lock()
		close(d.index.round)
		d.index.round = make(chan struct{})
		d.index.mu.Unlock()
	}
}

// place is where the key of an address is.
type place struct {
	hash  [hashSize]byte
	seq   uint64
	index int
}

// hashSize is how much of an address's hash the index has, in bytes: what it finds is compared.
// Those that begin with the same bytes are one value: bbolt takes as much for each as a place has.
const (
	hashSize  = 8
	groupSize = 2
)

func addressHash(address string) [hashSize]byte {
	sum := sha256.Sum256([]byte(address))
	return [hashSize]byte(sum[:])
}

// indexSome indexes a part of what waits.
func (d *Directory) indexSome(ctx context.Context) error {
	file := d.file.Load()
	var batches []*batch
	if err := file.view(func(tx *bolt.Tx) error {
		keys := 0
		c := tx.Bucket(bucketTodo).Cursor()
		for k, _ := c.First(); k != nil && len(batches) < indexBatches && keys < indexKeys; k, _ = c.Next() {
			b, err := batchAt(tx, number(k))
			if err == nil && b == nil {
				err = fmt.Errorf("%w: batch %d is not there", errDamaged, number(k))
			}
			if err != nil {
				return err
			}
			b.Keys = bytes.Clone(b.Keys) // for after the transaction
			batches = append(batches, b)
			keys += b.len()
		}
		return nil
	}); err != nil {
		return err
	}
	var places []place
	for _, b := range batches {
		some, err := d.placesOf(b)
		if err != nil {
			return err
		}
		places = append(places, some...)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(bytes.Compare(a.hash[:], b.hash[:]), cmp.Compare(a.seq, b.seq), cmp.Compare(a.index, b.index))
	})
	todo := 0
	err := file.update(func(tx *bolt.Tx) error {
		if err := putPlaces(tx.Bucket(bucketAddress), places); err != nil {
			return err
		}
		for _, b := range batches {
			if err := tx.Bucket(bucketTodo).Delete(be64(b.seq)); err != nil {
				return err
			}
		}
		err := count(tx, metaTodo, -len(batches))
		todo = counted(tx, metaTodo)
		return err
	})
	if err == nil {
		d.index.added(todo)
	}
	return err
}

// putPlaces adds places, in the order of their hashes, to those of the same group.
func putPlaces(index *bolt.Bucket, places []place) error {
	for len(places) > 0 {
		group := places[0].hash[:groupSize]
		value := bytes.Clone(index.Get(group))
		for len(places) > 0 && bytes.Equal(places[0].hash[:groupSize], group) {
			value = places[0].append(value)
			places = places[1:]
		}
		if err := index.Put(group, value); err != nil {
			return err
		}
	}
	return nil
}

func (p place) append(to []byte) []byte {
	to = binary.AppendUvarint(append(to, p.hash[groupSize:]...), p.seq)
	return binary.AppendUvarint(to, uint64(p.index))
}

// nextPlace reads the first of a group's places; false if it is none.
func nextPlace(group, value []byte) (p place, rest []byte, ok bool) {
	const tail = hashSize - groupSize
	if len(value) < tail {
		return p, nil, false
	}
	copy(p.hash[:], group)
	copy(p.hash[groupSize:], value)
	seq, n := binary.Uvarint(value[tail:])
	if n <= 0 {
		return p, nil, false
	}
	index, m := binary.Uvarint(value[tail+n:])
	if m <= 0 || index >= frost.MaxBatch {
		return p, nil, false
	}
	p.seq, p.index = seq, int(index)
	return p, value[tail+n+m:], true
}

// placesOf computes the addresses of a batch, or takes those that its own gateway has computed.
func (d *Directory) placesOf(b *batch) ([]place, error) {
	places := make([]place, b.len())
	given := d.given.take(b.ID)
	for i := range places {
		places[i] = place{seq: b.seq, index: i}
		if len(given) == len(places) {
			places[i].hash = given[i]
			continue
		}
		address, err := chain.Address(b.chain(), d.cfg.Manifest.Network, b.public(i))
		if err != nil {
			return nil, fmt.Errorf("%w: batch %x: %w", errDamaged, b.ID, err)
		}
		places[i].hash = addressHash(address)
	}
	return places, nil
}

// given are addresses that this gateway has computed itself, by batch: of the last results.
type given struct {
	mu    sync.Mutex
	of    map[[16]byte][][hashSize]byte
	order [][16]byte
}

// maxGiven is how many batches' addresses are kept until they are indexed, 8 KB each.
const maxGiven = 256

// Computed takes the keys of a result with the addresses that this gateway computed for it, of
// whole batches. They are not verified: others' results may not be given.
func (d *Directory) Computed(keys []wire.Key) {
	of := map[[16]byte][][hashSize]byte{}
	for _, k := range keys {
		id, err := wire.ParseKeyID(k.ID)
		if err != nil {
			return
		}
		batch := batchID(id)
		if len(of[batch]) != id.Index {
			return
		}
		of[batch] = append(of[batch], addressHash(k.Address))
	}
	g := &d.given
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of == nil {
		g.of = map[[16]byte][][hashSize]byte{}
	}
	for id, hashes := range of {
		g.of[id] = hashes
		g.order = append(g.order, id)
	}
	for len(g.order) > maxGiven {
		delete(g.of, g.order[0])
		g.order = g.order[1:]
	}
}

func (g *given) take(id [16]byte) [][hashSize]byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	hashes := g.of[id]
	delete(g.of, id)
	return hashes
}

// ByAddress is the key with this address itself; addresses of children are not looked up here.
// ErrBehind: it may be that of a key that was read a moment ago, or while the file is made.
func (d *Directory) ByAddress(client, address string) (Key, error) {
	wait := time.NewTimer(indexPatient)
	defer wait.Stop()
	for {
		d.index.mu.Lock()
		round := d.index.round
		d.index.mu.Unlock()
		k, all, err := d.byAddress(client, address)
		if all || !errors.Is(err, ErrNotFound) {
			return k, err
		}
		select {
		case d.index.urgent <- struct{}{}:
		default:
		}
		select {
		case <-round:
		case <-wait.C:
			return Key{}, ErrBehind
		}
	}
}

// byAddress looks into the index, and tells whether that has all keys. Bech32 may be in capitals,
// too (BIP 173).
func (d *Directory) byAddress(client, address string) (k Key, all bool, err error) {
	if len(address) > maxAddress {
		return Key{}, true, ErrNotFound
	}
	err = d.file.Load().view(func(tx *bolt.Tx) error {
		all = counted(tx, metaTodo) == 0
		for _, form := range slices.Compact([]string{address, strings.ToLower(address)}) {
			if k, err = d.keyAt(tx, client, form); !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		return ErrNotFound
	})
	return k, all, err
}

// maxAddress is longer than any address, in bytes.
const maxAddress = 128

func (d *Directory) keyAt(tx *bolt.Tx, client, address string) (Key, error) {
	hash := addressHash(address)
	for places := tx.Bucket(bucketAddress).Get(hash[:groupSize]); len(places) > 0; {
		p, rest, ok := nextPlace(hash[:groupSize], places)
		if !ok {
			return Key{}, fmt.Errorf("%w: place of an address", errDamaged)
		}
		places = rest
		if p.hash != hash {
			continue
		}
		b, err := batchAt(tx, p.seq)
		if err != nil {
			return Key{}, err
		}
		if b == nil || p.index >= b.len() {
			return Key{}, fmt.Errorf("%w: place of an address", errDamaged)
		}
		if b.Refused || client != "" && b.Client != client {
			continue
		}
		k, err := b.key(p.index, d.cfg.Manifest.Network)
		if err != nil {
			return Key{}, err
		}
		if k.Address == address {
			return k, k.remark(tx)
		}
	}
	return Key{}, ErrNotFound
}
