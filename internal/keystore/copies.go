package keystore

import (
	"errors"
	"fmt"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Copy is what a node's storage holds of a generation of a batch that anybody may see: its
// copy of the register.
type Copy struct {
	Ref
	Reshare      []byte // as in Record
	Deals        [][]byte
	PublicKeys   [][]byte
	Certificates [][]byte // nil while it is not complete
}

// Copies hands every generation of every batch of a storage directory to f. It needs no seal key and opens
// nothing that is sealed: whoever reads a copy has to verify it. The worker must not run.
func Copies(dir string, f func(*Copy) error) error {
	if err := refuseRetired(dir); err != nil {
		return err
	}
	s := &Store{path: filepath.Join(dir, FileName)}
	defer func() { _ = s.Close() }()
	err := s.guard(func() (err error) {
		s.db, err = bolt.Open(s.path, 0o600, &bolt.Options{Timeout: lockWait, OpenFile: s.openFile, ReadOnly: true})
		return err
	})
	switch {
	case errors.Is(err, ErrLocked), errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: %s: stop the worker first", ErrLocked, s.path)
	case err != nil:
		return fmt.Errorf("open keystore: %w", err)
	}
	return s.view(func(tx *bolt.Tx) error {
		if tx.Bucket(bucketData) == nil {
			return nil // a new store
		}
		return s.each(tx, func(b *batch) error {
			c, err := s.copyOf(b)
			if err != nil {
				return err
			}
			return f(c)
		})
	})
}

// Copy is what the open store holds of one generation of a batch that anybody may see.
func (s *Store) Copy(ref Ref) (c *Copy, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b, err := s.find(tx, ref)
		if err == nil {
			c, err = s.copyOf(b)
		}
		return err
	})
	return c, err
}

func (s *Store) copyOf(b *batch) (*Copy, error) {
	c := &Copy{Ref: b.h.ref()}
	var err error
	if c.Reshare, err = s.reshare(b); err != nil {
		return nil, err
	}
	all, err := s.entries(b)
	if err != nil {
		return nil, err
	}
	for i := range b.h.K {
		entry := all[i*b.h.entrySize():]
		c.PublicKeys = append(c.PublicKeys, append([]byte(nil), entry[:b.h.suite().PublicKeySize()]...))
	}
	if c.Deals, err = s.getAll(b, partDeal, b.h.Deals, maxDeal); err != nil || b.get(partCertificate, 0) == nil {
		return c, err
	}
	c.Certificates, err = s.getAll(b, partCertificate, b.h.N, maxCert)
	return c, err
}
