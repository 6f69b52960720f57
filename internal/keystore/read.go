package keystore

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Key gives the node's part of one key of a batch, its share opened.
func (s *Store) Key(batch string, index int) (key *Key, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, err := s.find(tx, batch)
		if err != nil {
			return err
		}
		if index < 0 || index >= b.h.K {
			return fmt.Errorf("batch %s has keys 0 to %d, not %d: %w", batch, b.h.K-1, index, ErrUnknown)
		}
		all, err := s.entries(b)
		if err != nil {
			return err
		}
		size := b.h.entrySize()
		var ok bool
		if key, ok = s.openEntry(b.h, b.raw, all[index*size:(index+1)*size], index); !ok {
			return s.damaged(fmt.Sprintf("batch %s: the share of key %d does not open", batch, index))
		}
		key.Complete, err = s.isComplete(b)
		return err
	})
	if err != nil {
		if key != nil {
			key.Share.Wipe()
		}
		return nil, err
	}
	return key, nil
}

// Pending gives the ids of the batches that are certified and not complete, ascending.
func (s *Store) Pending() ([]string, error) {
	var found []string
	err := s.view(func(tx *bolt.Tx) error {
		return s.each(tx, func(b *batch) error {
			done, err := s.isComplete(b)
			if !done && err == nil {
				found = append(found, b.h.Batch)
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
func (s *Store) Batch(batch string) (r *Record, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, err := s.find(tx, batch)
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

// Deal gives one raw deal of a batch.
func (s *Store) Deal(batch string, dealer int) (deal []byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, err := s.find(tx, batch)
		if err != nil {
			return err
		}
		var ok bool
		if deal, ok = unchecked(b.get(partDeal, dealer), maxDeal); !ok {
			return s.damaged(fmt.Sprintf("batch %s: the checksum of deal %d is wrong", batch, dealer))
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
	if stored := b.get(partCert, 0); stored != nil {
		cert, ok := unchecked(stored, maxCert)
		if !ok {
			return nil, s.damaged("batch " + r.Batch + ": the checksum of its certificate is wrong")
		}
		r.Cert = cert
	}
	if r.Complete, err = s.isComplete(b); err != nil || !r.Complete {
		return r, err
	}
	r.Certificates, err = s.getAll(b, partCertificate, maxCert)
	return r, err
}
