package keystore

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Certify stores a generation of a batch that the node is about to certify. It is on the disk
// when Certify returns nil. The same generation with the same transcript is nil and
// changes nothing; with another transcript it is ErrOtherTranscript, for ever.
// r.Cert is stored if present; Complete and Certificates are not looked at.
func (s *Store) Certify(r *Record) error {
	if err := r.validate(); err != nil {
		return err
	}
	return s.put(r, nil)
}

// PutRecovered stores a generation of a batch rebuilt from the log, complete. Where it
// is stored already, it is only made complete.
func (s *Store) PutRecovered(r *Record) error {
	if err := errors.Join(r.validate(), validateCertificates(r.ref(), r.N, r.Certificates)); err != nil {
		return err
	}
	return s.put(r, r.Certificates)
}

// put writes a record, complete if certs is not nil.
func (s *Store) put(r *Record, certs [][]byte) error {
	return withBuffer(checkedSize(r.Deals), func(deals []byte) error { return s.putRecord(r, certs, deals) })
}

// putRecord is put with room for the deals.
func (s *Store) putRecord(r *Record, certs [][]byte, deals []byte) error {
	h := r.header()
	if _, err := rand.Read(h.Nonce[:]); err != nil {
		return err
	}
	raw, err := h.encode()
	if err != nil {
		return fmt.Errorf("encode the header of %s: %w", r.ref(), err)
	}
	added := false
	err = s.update(func(tx *bolt.Tx) error {
		added = false
		b, err := s.find(tx, r.ref())
		if err == nil {
			return s.again(b, r, certs)
		}
		if !errors.Is(err, ErrUnknown) {
			return err
		}
		err = s.generations(tx, r.Batch, func(*batch) error { return nil })
		if added = errors.Is(err, ErrUnknown); err != nil && !added {
			return err
		}
		b = &batch{data: tx.Bucket(bucketData), h: h, raw: raw}
		err = errors.Join(b.putHeader(), b.put(partKeys, 0, s.sealKeys(h, raw, r)), b.putAll(partDeal, r.Deals, deals))
		if err == nil && r.Generation > 0 {
			err = errors.Join(raise(tx), b.put(partReshare, 0, checked(r.Reshare)))
		}
		if err == nil && len(r.Cert) > 0 {
			err = b.put(partCert, 0, checked(r.Cert))
		}
		if err == nil && certs != nil {
			err = s.complete(b, certs)
		}
		return err
	})
	if added && (err == nil || errors.Is(err, ErrGone)) {
		s.batches.Add(1)
		s.keys.Add(int64(r.K))
	}
	return err
}

// again judges a generation that is stored already.
func (s *Store) again(b *batch, r *Record, certs [][]byte) error {
	h := b.h
	if h.Transcript != r.Transcript || h.Context != r.Context {
		return fmt.Errorf("%s: %w", r.ref(), ErrOtherTranscript)
	}
	same := r.header()
	same.Nonce = h.Nonce
	if *same != *h {
		return fmt.Errorf("%s: the transcript is the stored one, and suite, sizes, index, owner or origin are not", r.ref())
	}
	if certs == nil || b.get(partComplete, 0) != nil {
		return errNoChange
	}
	return s.complete(b, certs)
}

// SetCert stores the node's certificate of a generation of a batch. A later one replaces it:
// devices randomise signatures, and the last one made is the one to publish.
func (s *Store) SetCert(ref Ref, cert []byte) error {
	if len(cert) < 1 || len(cert) > maxCert {
		return fmt.Errorf("%s: certificate has %d bytes", ref, len(cert))
	}
	value := checked(cert)
	return s.update(func(tx *bolt.Tx) error {
		b, err := s.find(tx, ref)
		if err != nil {
			return err
		}
		if bytes.Equal(b.get(partCert, 0), value) {
			return errNoChange
		}
		return b.put(partCert, 0, value)
	})
}

// Complete stores the certificates of all nodes, in index order, and with them
// the permission to sign. What is complete stays as it is.
func (s *Store) Complete(ref Ref, certs [][]byte) error {
	return s.update(func(tx *bolt.Tx) error {
		b, err := s.find(tx, ref)
		if err != nil {
			return err
		}
		if b.get(partComplete, 0) != nil {
			return errNoChange
		}
		if err := validateCertificates(ref, b.h.N, certs); err != nil {
			return err
		}
		return s.complete(b, certs)
	})
}

func (s *Store) complete(b *batch, certs [][]byte) error {
	if err := b.putAll(partCertificate, certs, make([]byte, 0, checkedSize(certs))); err != nil {
		return err
	}
	return b.put(partComplete, 0, s.sealComplete(b.h, b.raw))
}

// SetCursor stores how far KEYS was read: the stream's identity and the last
// sequence handled. It costs an fsync; callers write it now and then.
func (s *Store) SetCursor(streamID string, seq uint64) error {
	value, err := encoder.Marshal(&cursor{StreamID: streamID, Seq: seq})
	if err != nil {
		return fmt.Errorf("encode the cursor: %w", err)
	}
	if len(value) > maxCursor {
		return fmt.Errorf("cursor: the stream's identity has %d bytes", len(streamID))
	}
	return s.update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if bytes.Equal(meta.Get(keyCursor), value) {
			return errNoChange
		}
		return meta.Put(keyCursor, value)
	})
}

// probeSize is more than a batch of a thousand keys takes, in bytes.
const probeSize = 2 << 20

// Probe writes as much as a large batch takes and removes it again: nil says
// that the disk has room for one. A smaller write would prove nothing, as there
// is always a free page.
func (s *Store) Probe() error {
	err := s.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyProbe, make([]byte, probeSize)) })
	if err != nil {
		return err
	}
	return s.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keyProbe) })
}
