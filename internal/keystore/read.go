package keystore

import (
	"crypto/sha256"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Key gives the node's part of one key of a batch, its share opened: of the highest complete
// generation, or, where none is complete, of the highest. It is ErrMoved where MarkMoved was
// called.
func (s *Store) Key(batch string, index int) (*Key, error) { return s.key(batch, index, s.openKey) }

// PublicKey is Key without the commitments and the share, for what signs nothing. The seal
// proves the public key, so it is opened here, and what was in it is wiped at once: what is
// counted of a job depends on whose the key is.
func (s *Store) PublicKey(id string, index int) (*Key, error) {
	return s.key(id, index, func(b *batch, all []byte, i int) (*Key, error) {
		key, err := s.openKey(b, all, i)
		if err != nil {
			return nil, err
		}
		key.Share.Wipe()
		key.Share, key.Commitments = nil, nil
		return key, nil
	})
}

func (s *Store) key(id string, index int, take func(b *batch, all []byte, i int) (*Key, error)) (key *Key, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, complete, err := s.current(tx, id)
		if err != nil {
			return err
		}
		if index < 0 || index >= b.h.K {
			return fmt.Errorf("batch %s has keys 0 to %d, not %d: %w", id, b.h.K-1, index, ErrUnknown)
		}
		all, err := s.entries(b)
		if err != nil {
			return err
		}
		if key, err = take(b, all, index); err == nil {
			key.Complete = complete
		}
		return err
	})
	return key, err
}

// openKey opens one of all keys of a record.
func (s *Store) openKey(b *batch, all []byte, i int) (*Key, error) {
	size := b.h.entrySize()
	key, ok := s.openEntry(b.h, b.raw, all[i*size:(i+1)*size], i)
	if !ok {
		return nil, s.damaged(fmt.Sprintf("%s: the share of key %d does not open", b.h.ref(), i))
	}
	return key, nil
}

// current gives the generation that signs. What is complete counts before what is not.
func (s *Store) current(tx *bolt.Tx, id string) (found *batch, complete bool, err error) {
	if isMoved(tx, id) {
		return nil, false, fmt.Errorf("batch %s: %w", id, ErrMoved)
	}
	err = s.generations(tx, id, func(b *batch) error {
		done, err := s.isComplete(b)
		if done || !complete {
			found, complete = b, done
		}
		return err
	})
	return found, complete, err
}

// ErrIncomplete says that the node never saw that all nodes certified this generation.
var ErrIncomplete = errors.New("batch is not complete")

// Shares gives the node's shares of all keys of a generation, 32 bytes each, in order: what
// it deals to the next manifest's nodes. The caller wipes them. A generation that is not
// complete, or has moved, is not dealt.
func (s *Store) Shares(ref Ref) (shares *secret.Bytes, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, err := s.find(tx, ref)
		if err != nil {
			return err
		}
		if isMoved(tx, ref.Batch) {
			return fmt.Errorf("%s: %w", ref, ErrMoved)
		}
		if done, err := s.isComplete(b); err != nil || !done {
			return errors.Join(err, fmt.Errorf("%s: %w", ref, ErrIncomplete))
		}
		all, err := s.entries(b)
		if err != nil {
			return err
		}
		shares = secret.New(make([]byte, b.h.K*frost.ScalarSize))
		for i := range b.h.K {
			key, err := s.openKey(b, all, i)
			if err != nil {
				shares.Wipe()
				return err
			}
			copy(shares.Expose()[i*frost.ScalarSize:], key.Share.Expose())
			key.Share.Wipe()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return shares, nil
}

// Pending gives what is certified and not complete, in the order of Known.
func (s *Store) Pending() ([]Ref, error) {
	var found []Ref
	err := s.view(func(tx *bolt.Tx) error {
		return s.each(tx, func(b *batch) error {
			done, err := s.isComplete(b)
			if !done && err == nil {
				found = append(found, b.h.ref())
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Batch gives a record without Shares and Deals.
func (s *Store) Batch(ref Ref) (r *Record, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, err := s.find(tx, ref)
		if err != nil {
			return err
		}
		r, err = s.public(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Deal gives one raw deal of a generation of a batch, by its place among the record's.
func (s *Store) Deal(ref Ref, i int) (deal []byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, err := s.find(tx, ref)
		if err != nil {
			return err
		}
		if i < 0 || i >= b.h.Deals {
			return fmt.Errorf("%s has deals 0 to %d, not %d: %w", ref, b.h.Deals-1, i, ErrUnknown)
		}
		var ok bool
		if deal, ok = unchecked(b.get(partDeal, i), maxDeal); !ok {
			return s.damaged(fmt.Sprintf("%s: the checksum of deal %d is wrong", ref, i))
		}
		return nil
	})
	return deal, err
}

// Cursor gives what SetCursor stored last: "" and 0 in a new store.
func (s *Store) Cursor() (streamID string, seq uint64, err error) {
	var c cursor
	err = s.view(func(tx *bolt.Tx) error {
		stored := tx.Bucket(bucketMeta).Get(keyCursor)
		if stored == nil {
			return nil
		}
		if err := decode(stored, maxCursor, &c); err != nil {
			return s.damaged("cursor: " + err.Error())
		}
		return nil
	})
	if err != nil {
		return "", 0, err
	}
	return c.StreamID, c.Seq, nil
}

// public reads everything of a batch but deals and shares.
func (s *Store) public(b *batch) (*Record, error) {
	r, size := b.h.record(), b.h.entrySize()
	all, err := s.entries(b)
	if err != nil {
		return nil, err
	}
	keySize, points := b.h.suite().PublicKeySize(), b.h.commitmentsSize()
	keys := make([]byte, 0, r.K*keySize)
	r.Commitments = make([]byte, 0, r.K*points)
	for i := range r.K {
		entry := all[i*size : (i+1)*size]
		keys = append(keys, entry[:keySize]...)
		r.PublicKeys = append(r.PublicKeys, keys[i*keySize:(i+1)*keySize:(i+1)*keySize])
		r.Commitments = append(r.Commitments, entry[keySize:keySize+points]...)
	}
	if r.Reshare, err = s.reshare(b); err != nil {
		return nil, err
	}
	if stored := b.get(partCert, 0); stored != nil {
		cert, ok := unchecked(stored, maxCert)
		if !ok {
			return nil, s.damaged(b.h.ref().String() + ": the checksum of its certificate is wrong")
		}
		r.Cert = cert
	}
	if r.Complete, err = s.isComplete(b); err != nil || !r.Complete {
		return r, err
	}
	r.Certificates, err = s.getAll(b, partCertificate, b.h.N, maxCert)
	return r, err
}

// reshare gives what a later generation came of, nil of generation 0.
func (s *Store) reshare(b *batch) ([]byte, error) {
	if b.h.Generation == 0 {
		return nil, nil
	}
	value, ok := unchecked(b.get(partReshare, 0), maxReshare)
	if !ok || sha256.Sum256(value) != b.h.Reshare {
		return nil, s.damaged(b.h.ref().String() + ": what it came of is not what was sealed")
	}
	return value, nil
}
