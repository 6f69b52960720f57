package wire

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
)

// MaxFreezeFile bounds an UnfreezeFile, in bytes.
const MaxFreezeFile = 1 << 20

// UnfreezeFile is an unfreeze that administrators sign one after the other, on machines
// without a network if they like.
type UnfreezeFile struct {
	Version    int                 `json:"version"`
	Statement  HexBytes            `json:"statement"`
	Freezes    []HexBytes          `json:"freezes"` // statements that it lifts, so that who signs can read them
	Signatures []UnfreezeSignature `json:"signatures"`

	statement *FreezeStatement
	lifts     []*FreezeStatement
}

// UnfreezeSignature is one administrator's in an UnfreezeFile.
type UnfreezeSignature struct {
	Administrator string   `json:"administrator"`
	Signature     HexBytes `json:"signature"`
}

// NewUnfreezeFile is an unsigned file for an unfreeze of freezes that are in force.
func NewUnfreezeFile(m *Manifest, s *FreezeStatement, freezes []*Freeze) (*UnfreezeFile, error) {
	f := &UnfreezeFile{Version: FreezeVersion, Statement: Encode(s), Signatures: []UnfreezeSignature{}}
	for _, one := range freezes {
		msg, _, err := decodeFreezeMessage(one.Message)
		if err != nil {
			return nil, err
		}
		f.Freezes = append(f.Freezes, msg.Statement)
	}
	return f, f.check(m)
}

// ParseUnfreezeFile reads a file, whose signatures are not verified yet.
func ParseUnfreezeFile(m *Manifest, data []byte) (*UnfreezeFile, error) {
	if len(data) > MaxFreezeFile {
		return nil, fmt.Errorf("%d bytes: an unfreeze has at most %d", len(data), MaxFreezeFile)
	}
	var peek struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(data, &peek) == nil && peek.Version != 0 && peek.Version != FreezeVersion {
		return nil, fmt.Errorf("%w: its format is %d, and this program reads %d", ErrFreezeVersion, peek.Version,
			FreezeVersion)
	}
	f := &UnfreezeFile{}
	if err := strictJSON(data, f); err != nil {
		return nil, err
	}
	if f.Version != FreezeVersion {
		return nil, fmt.Errorf("%w: it has no version", ErrFreezeVersion)
	}
	return f, f.check(m)
}

// check reads the statements, and wants the freezes to be those that the unfreeze names.
func (f *UnfreezeFile) check(m *Manifest) (err error) {
	if f.statement, err = DecodeFreeze(f.Statement); err != nil {
		return err
	}
	if f.statement.Action != ActionUnfreeze {
		return fmt.Errorf("it is a statement to %s, and no unfreeze", f.statement.Action)
	}
	if len(f.Freezes) != len(f.statement.Lifts) {
		return fmt.Errorf("it lifts %d freezes and shows %d", len(f.statement.Lifts), len(f.Freezes))
	}
	f.lifts = nil
	for i, raw := range f.Freezes {
		s, err := DecodeFreeze(raw)
		if err != nil {
			return fmt.Errorf("freeze %d: %w", i, err)
		}
		if FreezeID(m, raw) != f.statement.Lifts[i] || s.Action != ActionFreeze {
			return fmt.Errorf("freeze %d is not the one that the statement lifts, or is of another fleet", i)
		}
		f.lifts = append(f.lifts, s)
	}
	return nil
}

// ID is the unfreeze's own.
func (f *UnfreezeFile) ID(m *Manifest) [32]byte { return FreezeID(m, f.Statement) }

// Unfreeze is the statement.
func (f *UnfreezeFile) Unfreeze() *FreezeStatement { return f.statement }

// Lifts are the freezes that the statement names, in its order.
func (f *UnfreezeFile) Lifts() []*FreezeStatement { return f.lifts }

// Sign adds an administrator's signature, or replaces it.
func (f *UnfreezeFile) Sign(m *Manifest, administrator string, key ed25519.PrivateKey) {
	f.Signatures = slices.DeleteFunc(f.Signatures, func(s UnfreezeSignature) bool { return s.Administrator == administrator })
	f.Signatures = append(f.Signatures, UnfreezeSignature{administrator, SignFreeze(key, m, administrator, f.Statement)})
}

// Signed are the administrators of a list whose signatures verify, each once.
func (f *UnfreezeFile) Signed(m *Manifest, a *Access) (names []string) {
	for _, s := range f.Signatures {
		input := FreezeSigningInput(m, s.Administrator, f.Statement)
		if _, err := a.verifyAdministrator(s.Administrator, input, s.Signature); err == nil {
			names = append(names, s.Administrator)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Message is one of the signatures with the statement, as CONTROL has it.
func (f *UnfreezeFile) Message(s UnfreezeSignature) []byte {
	return FreezeMessage(f.Statement, s.Signature)
}
