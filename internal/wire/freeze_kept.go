package wire

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
)

// MaxKeptFreezes bounds what Keep gives, in bytes.
const MaxKeptFreezes = 24 << 20

// keptFreezes is what a node keeps on its disk: a stream that is lost or emptied lifts
// nothing. Votes are not kept; who voted may vote again.
type keptFreezes struct {
	Version  uint32       `cbor:"1,keyasint"`
	Manifest [32]byte     `cbor:"2,keyasint"`
	InForce  []keptFreeze `cbor:"3,keyasint"`
	Lifted   [][32]byte   `cbor:"4,keyasint"` // the oldest first
}

type keptFreeze struct {
	By      string `cbor:"1,keyasint"`
	Message []byte `cbor:"2,keyasint"`
}

// ErrKeptFreezes says that what was kept of freezes can't be used: nobody knows what is
// frozen.
var ErrKeptFreezes = errors.New("what is kept of freezes can't be used")

// Keep is what the book has to remember, with a checksum before it. That finds a bad disk;
// it is no protection against a person.
func (b *FreezeBook) Keep() []byte {
	k := keptFreezes{Version: FreezeVersion, Manifest: b.manifest.FleetID(), InForce: []keptFreeze{}, Lifted: b.order}
	if k.Lifted == nil {
		k.Lifted = [][32]byte{}
	}
	for _, f := range b.InForce() {
		k.InForce = append(k.InForce, keptFreeze{f.By, f.Message})
	}
	body := Encode(&k)
	sum := sha256.Sum256(body)
	return append(sum[:], body...)
}

// OpenKeptFreezes makes a book of what Keep gave. The signatures were verified when the
// messages came; who signed may have left the access list since. Errors wrap
// ErrKeptFreezes.
func OpenKeptFreezes(m *Manifest, kept []byte) (*FreezeBook, error) {
	b, err := openKept(m, kept)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeptFreezes, err)
	}
	return b, nil
}

// Learn takes what another member of the same process kept, and reports whether that is news.
// What either of them knows to be lifted is lifted.
func (b *FreezeBook) Learn(kept []byte) (news bool, err error) {
	other, err := OpenKeptFreezes(b.manifest, kept)
	if err != nil {
		return false, err
	}
	for _, id := range other.order {
		if b.lift(id) {
			delete(b.inForce, id)
			news = true
		}
	}
	for _, f := range other.InForce() {
		if _, lifted := b.lifted[f.ID]; !lifted && b.inForce[f.ID] == nil && b.room(f.By) == nil {
			b.inForce[f.ID], news = f, true
		}
	}
	return news, nil
}

func openKept(m *Manifest, kept []byte) (*FreezeBook, error) {
	if len(kept) < sha256.Size || len(kept) > MaxKeptFreezes {
		return nil, fmt.Errorf("it has %d bytes", len(kept))
	}
	sum, body := kept[:sha256.Size], kept[sha256.Size:]
	if is := sha256.Sum256(body); !bytes.Equal(is[:], sum) {
		return nil, errors.New("its checksum is wrong")
	}
	var peek struct {
		Version uint32 `cbor:"1,keyasint"`
	}
	if err := peekMode.Unmarshal(body, &peek); err != nil {
		return nil, err
	}
	if peek.Version != FreezeVersion {
		return nil, fmt.Errorf("%w: its format is %d, and this program reads %d", ErrFreezeVersion, peek.Version,
			FreezeVersion)
	}
	var k keptFreezes
	if err := Decode(body, MaxKeptFreezes, &k); err != nil {
		return nil, err
	}
	if k.Manifest != m.FleetID() {
		return nil, fmt.Errorf("it is of the fleet whose founding manifest is %x, and this program is of another", k.Manifest[:8])
	}
	b := NewFreezeBook(m)
	for _, one := range k.InForce {
		msg, s, err := decodeFreezeMessage(one.Message)
		switch {
		case err != nil:
			return nil, err
		case s.Action != ActionFreeze || !IsToken(one.By):
			return nil, errors.New("it has something in force that is no freeze")
		}
		id := FreezeID(m, msg.Statement)
		b.inForce[id] = &Freeze{ID: id, By: one.By, FreezeStatement: *s, Message: one.Message}
	}
	for _, id := range k.Lifted {
		b.lift(id)
	}
	return b, nil
}
