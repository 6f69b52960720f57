//go:build cgo

package pkcs11

import (
	p11 "github.com/miekg/pkcs11"
)

// api is the part of PKCS#11 in use. Tests put faults in front of SoftHSM
// with it.
type api interface {
	Initialize(...p11.InitializeOption) error
	Finalize() error
	GetInfo() (p11.Info, error)
	GetSlotList(tokenPresent bool) ([]uint, error)
	GetSlotInfo(slot uint) (p11.SlotInfo, error)
	GetTokenInfo(slot uint) (p11.TokenInfo, error)
	GetMechanismList(slot uint) ([]*p11.Mechanism, error)
	GetMechanismInfo(slot uint, m []*p11.Mechanism) (p11.MechanismInfo, error)

	OpenSession(slot uint, flags uint) (p11.SessionHandle, error)
	CloseSession(p11.SessionHandle) error
	GetSessionInfo(p11.SessionHandle) (p11.SessionInfo, error)
	Login(s p11.SessionHandle, user uint, pin string) error

	FindObjectsInit(p11.SessionHandle, []*p11.Attribute) error
	FindObjects(s p11.SessionHandle, limit int) ([]p11.ObjectHandle, bool, error)
	FindObjectsFinal(p11.SessionHandle) error
	GetAttributeValue(p11.SessionHandle, p11.ObjectHandle, []*p11.Attribute) ([]*p11.Attribute, error)
	DestroyObject(p11.SessionHandle, p11.ObjectHandle) error

	SignInit(p11.SessionHandle, []*p11.Mechanism, p11.ObjectHandle) error
	Sign(p11.SessionHandle, []byte) ([]byte, error)
	DeriveKey(p11.SessionHandle, []*p11.Mechanism, p11.ObjectHandle, []*p11.Attribute) (p11.ObjectHandle, error)
	GenerateKey(p11.SessionHandle, []*p11.Mechanism, []*p11.Attribute) (p11.ObjectHandle, error)
	GenerateKeyPair(
		s p11.SessionHandle, m []*p11.Mechanism, public, private []*p11.Attribute,
	) (p11.ObjectHandle, p11.ObjectHandle, error)
}

var _ api = (*p11.Ctx)(nil)

// A loader makes a library's functions callable, without initialising it.
type loader func(path string) (api, error)

func mechanism(m uint) []*p11.Mechanism { return []*p11.Mechanism{p11.NewMechanism(m, nil)} }
