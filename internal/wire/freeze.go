package wire

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// FreezeVersion is the format of freezes, in CONTROL and in files.
const FreezeVersion = 1

// Bounds of what an administrator says, in bytes. The stream takes nothing larger than
// MaxFreeze.
const (
	MaxFreeze       = 4 << 10
	MaxFreezeReason = 256
	MaxLifts        = 32 // freezes that one statement lifts

	maxFreezeTime = 253402300799 // 9999-12-31, in Unix seconds
)

// FreezeAction is what a statement does.
type FreezeAction string

// The actions. One administrator freezes; unfreezing takes the access list's quorum.
const (
	ActionFreeze   FreezeAction = "freeze"
	ActionUnfreeze FreezeAction = "unfreeze"
)

// FreezeScope is what is frozen.
type FreezeScope string

// The scopes.
const (
	FreezeFleet  FreezeScope = "fleet"
	FreezeClient FreezeScope = "client"
	FreezeKey    FreezeScope = "key" // with all its children
)

// FreezeScopes are all scopes.
var FreezeScopes = []FreezeScope{FreezeFleet, FreezeClient, FreezeKey}

// FreezeStatement is what administrators sign. Each is another one by its nonce. An
// unfreeze names the freezes that it lifts by the hashes of their statements, so it
// lifts none that comes after it.
type FreezeStatement struct {
	Action FreezeAction `cbor:"1,keyasint"`
	Scope  FreezeScope  `cbor:"2,keyasint,omitempty"` // of a freeze
	Name   string       `cbor:"3,keyasint,omitempty"` // of the client, or the key's id
	Reason string       `cbor:"4,keyasint"`           // for people
	Time   int64        `cbor:"5,keyasint"`           // when it was made, Unix seconds; for people
	Nonce  [16]byte     `cbor:"6,keyasint"`
	Lifts  [][32]byte   `cbor:"7,keyasint,omitempty"` // of an unfreeze: FreezeIDs
}

// freezeMessage is a statement with one administrator's signature, as it stands in CONTROL
// under the subject that names the administrator.
type freezeMessage struct {
	Version   uint32 `cbor:"1,keyasint"`
	Statement []byte `cbor:"2,keyasint"`
	Signature []byte `cbor:"3,keyasint"`
}

// ControlFilter matches all that administrators said.
const ControlFilter = "control.*"

// ControlSubject is where an administrator says something.
func ControlSubject(administrator string) string { return "control." + administrator }

// ParseControl is the reverse of ControlSubject.
func ParseControl(subject string) (administrator string, err error) {
	t, err := tokens(subject, 2, "control")
	if err != nil {
		return "", err
	}
	return t[1], nil
}

// Check refuses a statement that means nothing, or could not be shown to people.
func (s *FreezeStatement) Check() error {
	if err := CheckFreezeReason(s.Reason); err != nil {
		return err
	}
	if s.Time <= 0 || s.Time > maxFreezeTime {
		return fmt.Errorf("statement of the time %d, which is none", s.Time)
	}
	switch s.Action {
	case ActionFreeze:
		if len(s.Lifts) > 0 {
			return errors.New("a freeze that lifts others")
		}
		return CheckFreezeTarget(s.Scope, s.Name)
	case ActionUnfreeze:
		if s.Scope != "" || s.Name != "" {
			return errors.New("an unfreeze with a scope: it names the freezes that it lifts")
		}
		if len(s.Lifts) == 0 || len(s.Lifts) > MaxLifts {
			return fmt.Errorf("an unfreeze of %d freezes: name 1 to %d", len(s.Lifts), MaxLifts)
		}
		return nil
	}
	return fmt.Errorf("action %.32q is unknown: use %s or %s", string(s.Action), ActionFreeze, ActionUnfreeze)
}

// CheckFreezeReason refuses a reason that is missing, too long, or that a terminal would
// not show as it is.
func CheckFreezeReason(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return errors.New("the reason is missing: say in a sentence why")
	case len(reason) > MaxFreezeReason:
		return fmt.Errorf("a reason of %d bytes: use at most %d", len(reason), MaxFreezeReason)
	case !utf8.ValidString(reason) || strings.ContainsFunc(reason, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("the reason has characters that do not print: write one line of plain text")
	}
	return nil
}

// CheckFreezeTarget refuses what can't be frozen.
func CheckFreezeTarget(scope FreezeScope, name string) error {
	switch scope {
	case FreezeFleet:
		if name != "" {
			return fmt.Errorf("a freeze of the fleet that names %.64q", name)
		}
		return nil
	case FreezeClient:
		if !IsToken(name) {
			return fmt.Errorf("client %.64q: use 1 to 64 letters, digits, _ or -", name)
		}
		return nil
	case FreezeKey:
		_, err := ParseKeyID(name)
		return err
	}
	return fmt.Errorf("scope %.32q is unknown: use %s", string(scope), Or(FreezeScopes))
}

// Target is what a freeze is of, for people.
func (s *FreezeStatement) Target() string {
	if s.Scope == FreezeFleet {
		return "the fleet"
	}
	return string(s.Scope) + " " + s.Name
}

// At is when the statement was made, by the clock of who made it.
func (s *FreezeStatement) At() time.Time { return time.Unix(s.Time, 0).UTC() }

// FreezeID is the hash of a statement, by which it is known. It binds manifest, fleet and
// network.
func FreezeID(m *Manifest, statement []byte) [32]byte {
	fleet := m.FleetID()
	return frost.Hash("frostfleet/freeze/v1", fleet[:], []byte(m.Fleet), []byte(m.Network), statement)
}

// ShortFreezeID is how people call a statement.
func ShortFreezeID(id [32]byte) string { return hex.EncodeToString(id[:8]) }

// FreezeSigningInput is what an administrator's Ed25519 key signs: a tag, the subject
// that names the administrator, the network, the manifest's hash and the statement, with
// line ends between, as JobSigningInput.
func FreezeSigningInput(m *Manifest, administrator string, statement []byte) []byte {
	return signingInput("frostfleet/freeze/v1", m, ControlSubject(administrator), statement)
}

// SignFreeze is an administrator's signature over the bytes of a statement.
func SignFreeze(key ed25519.PrivateKey, m *Manifest, administrator string, statement []byte) []byte {
	return ed25519.Sign(key, FreezeSigningInput(m, administrator, statement))
}

// FreezeMessage is a signed statement as CONTROL has it.
func FreezeMessage(statement, signature []byte) []byte {
	return Encode(&freezeMessage{Version: FreezeVersion, Statement: statement, Signature: signature})
}

// DecodeFreeze reads the bytes of a statement.
func DecodeFreeze(statement []byte) (*FreezeStatement, error) {
	s := &FreezeStatement{}
	if err := Decode(statement, MaxFreeze, s); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return s, s.Check()
}

// ErrFreezeVersion says that something is of a format that this program does not read.
var ErrFreezeVersion = errors.New("a freeze of another version")

// decodeFreezeMessage reads a message of CONTROL, unverified.
func decodeFreezeMessage(data []byte) (m freezeMessage, s *FreezeStatement, err error) {
	if len(data) > MaxFreeze {
		return m, nil, fmt.Errorf("message of %d bytes is over the limit of %d", len(data), MaxFreeze)
	}
	var peek struct {
		Version uint32 `cbor:"1,keyasint"`
	}
	if err := peekMode.Unmarshal(data, &peek); err != nil {
		return m, nil, err
	}
	if peek.Version != FreezeVersion {
		return m, nil, fmt.Errorf("%w: its format is %d, and this program reads %d", ErrFreezeVersion, peek.Version,
			FreezeVersion)
	}
	if err := Decode(data, MaxFreeze, &m); err != nil {
		return m, nil, err
	}
	s, err = DecodeFreeze(m.Statement)
	return m, s, err
}

// Freeze is a statement that an administrator signed.
type Freeze struct {
	ID [32]byte
	By string // the first administrator whose signature came
	FreezeStatement
	Message []byte // as CONTROL has it

	key string // of By
}

// OpenFreeze opens a message of CONTROL: signed by the administrator that its subject
// names, for this manifest.
func OpenFreeze(m *Manifest, a *Access, subject string, data []byte) (*Freeze, error) {
	name, err := ParseControl(subject)
	if err != nil {
		return nil, err
	}
	msg, s, err := decodeFreezeMessage(data)
	if err != nil {
		return nil, err
	}
	key, err := a.verifyAdministrator(name, FreezeSigningInput(m, name, msg.Statement), msg.Signature)
	if err != nil {
		return nil, err
	}
	return &Freeze{ID: FreezeID(m, msg.Statement), By: name, FreezeStatement: *s, Message: data, key: key}, nil
}
