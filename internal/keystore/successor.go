package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// SuccessorFile is where a node keeps the manifest that its operator approved to follow its
// own, in the storage directory.
const SuccessorFile = "successor"

// Successor is the one manifest that a node's operator approved to follow the node's own. The
// worker and its operator's commands both change the file, each under a lock.
type Successor struct {
	Manifest []byte // JSON of the manifest, as it was approved
	Approval []byte // the device's word, in the protocol's encoding
	Forced   bool
	Dealt    bool // the node has dealt to it: the approval can't be taken back
}

// keptSuccessor is what stands in the file behind the checksum, in CBOR.
type keptSuccessor struct {
	_        struct{} `cbor:",toarray"`
	Version  uint32
	Manifest []byte
	Approval []byte
	Forced   bool
	Dealt    bool
}

const (
	successorVersion = 1
	maxSuccessor     = 2 << 20 // bytes
	successorWait    = 25      // times lockWait: the other one syncs a disk
)

// Errors of the approved successor.
var (
	ErrNoSuccessor    = errors.New("no such manifest is approved")
	ErrOtherSuccessor = errors.New("another manifest is approved: revoke that one first")
	ErrDealt          = errors.New("the node has dealt shares to the approved manifest: it can't be revoked any more")
)

// LoadSuccessor reads what is approved; nil if nothing is. A file that can't be what was
// written is ErrDamaged.
func LoadSuccessor(dir string) (*Successor, error) {
	path := filepath.Join(dir, SuccessorFile)
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxSuccessor+1))
	if err != nil {
		return nil, err
	}
	s, err := decodeSuccessor(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w: restore it, or remove it and approve the manifest again", ErrDamaged, path, err)
	}
	return s, nil
}

func decodeSuccessor(data []byte) (*Successor, error) {
	body, ok := unchecked(data, maxSuccessor)
	if !ok {
		return nil, errors.New("its checksum is wrong")
	}
	var k keptSuccessor
	if err := decode(body, maxSuccessor, &k); err != nil {
		return nil, err
	}
	if k.Version != successorVersion {
		return nil, fmt.Errorf("format %d, and this program reads %d", k.Version, successorVersion)
	}
	if len(k.Manifest) == 0 || len(k.Approval) == 0 {
		return nil, errors.New("no manifest, or no approval")
	}
	return &Successor{Manifest: k.Manifest, Approval: k.Approval, Forced: k.Forced, Dealt: k.Dealt}, nil
}

func (s *Successor) encode() ([]byte, error) {
	body, err := encoder.Marshal(&keptSuccessor{
		Version: successorVersion, Manifest: s.Manifest, Approval: s.Approval, Forced: s.Forced, Dealt: s.Dealt,
	})
	if err != nil {
		return nil, err
	}
	data := checked(body)
	_, err = decodeSuccessor(data) // what would not be read is not written
	return data, err
}

// SaveSuccessor keeps what the operator approved: it is on the disk when it returns nil. The
// same manifest may be approved again, and stays dealt; another one is ErrOtherSuccessor.
func SaveSuccessor(dir string, s *Successor) error {
	return changeSuccessor(dir, func(before *Successor) (*Successor, error) {
		next := *s
		if before != nil {
			if !bytes.Equal(before.Manifest, s.Manifest) {
				return nil, ErrOtherSuccessor
			}
			next.Dealt = next.Dealt || before.Dealt
		}
		return &next, nil
	})
}

// MarkDealt notes, before the deal is published, that the node deals to the manifest. It is
// ErrNoSuccessor if that is not approved, or no more: then the node must not deal.
func MarkDealt(dir string, manifest []byte) error {
	return changeSuccessor(dir, func(before *Successor) (*Successor, error) {
		if before == nil || !bytes.Equal(before.Manifest, manifest) {
			return nil, ErrNoSuccessor
		}
		next := *before
		next.Dealt = true
		return &next, nil
	})
}

// RevokeSuccessor takes the approval back. It is ErrDealt once the node has dealt.
func RevokeSuccessor(dir string) error {
	return changeSuccessor(dir, func(before *Successor) (*Successor, error) {
		switch {
		case before == nil:
			return nil, ErrNoSuccessor
		case before.Dealt:
			return nil, ErrDealt
		}
		return nil, nil
	})
}

// changeSuccessor has f say, under the lock, what is to be in the place of what is there; nil
// is nothing.
func changeSuccessor(dir string, f func(before *Successor) (*Successor, error)) error {
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("storage directory: %w", err)
	}
	defer func() { _ = folder.Close() }() // and with it goes the lock
	err = lock(folder)
	for tries := 0; errors.Is(err, ErrLocked) && tries < successorWait; tries++ {
		err = lock(folder)
	}
	if err != nil {
		return fmt.Errorf("storage directory %s: %w", dir, err)
	}
	before, err := LoadSuccessor(dir)
	if err != nil {
		return err
	}
	next, err := f(before)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, SuccessorFile)
	if next == nil {
		return errors.Join(os.Remove(path), secret.SyncDir(dir))
	}
	data, err := next.encode()
	if err != nil {
		return err
	}
	if before != nil {
		if same, err := before.encode(); err == nil && bytes.Equal(same, data) {
			return nil
		}
	}
	return secret.Replace(path, data)
}
