//go:build cgo

package pkcs11

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/test/softhsm"
)

// A faulty module is real SoftHSM behind faults: it blocks, gives return
// values, spoils answers, hides mechanisms and moves slots.
type faulty struct {
	api
	name string // stands for the library's path, so that it has an owner of its own

	mu       sync.Mutex
	calls    map[string]int
	fails    map[string]func(n int) error // by function; n counts its calls from 1
	blocks   map[string]chan struct{}
	hidden   map[uint]bool // mechanisms
	spoil    func([]byte) []byte
	tokens   func(uint, *p11.TokenInfo) // changes what tokens say
	sessions map[p11.SessionHandle]bool
	max      int
	shift    uint // added to slot numbers
	hardware bool // the slot claims to be
}

var (
	faultyModules atomic.Int64
	stuck         atomic.Int64 // calls that met a block, ever
)

func newFaulty(t testing.TB, h *softhsm.HSM) *faulty {
	t.Helper()
	f := &faulty{api: p11.New(h.Library()), name: fmt.Sprintf("softhsm-with-faults-%d", faultyModules.Add(1)),
		calls: map[string]int{}, fails: map[string]func(int) error{}, blocks: map[string]chan struct{}{}, hidden: map[uint]bool{},
		sessions: map[p11.SessionHandle]bool{}}
	t.Cleanup(f.release)
	return f
}

func (f *faulty) load(string) (api, error) { return f, nil }

// enter counts a call, blocks it and fails it, as the test wants.
func (f *faulty) enter(function string) error {
	f.mu.Lock()
	f.calls[function]++
	n, fail, block := f.calls[function], f.fails[function], f.blocks[function]
	f.mu.Unlock()
	if block != nil {
		stuck.Add(1)
		<-block
	}
	if fail != nil {
		return fail(n)
	}
	return nil
}

// fail makes a function give a return value until it is told otherwise.
func (f *faulty) fail(function string, rv uint) {
	f.failWith(function, func(int) error { return p11.Error(rv) })
}

// failOnce makes the next call of a function give a return value.
func (f *faulty) failOnce(function string, rv uint) {
	next := f.count(function) + 1
	f.failWith(function, func(n int) error {
		if n == next {
			return p11.Error(rv)
		}
		return nil
	})
}

func (f *faulty) failWith(function string, fail func(int) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails[function] = fail
}

// block makes a function hang until release.
func (f *faulty) block(function string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocks[function] = make(chan struct{})
}

// release lets everything that hangs go on, and works again.
func (f *faulty) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for function, block := range f.blocks {
		close(block)
		delete(f.blocks, function)
	}
	clear(f.fails)
}

func (f *faulty) count(function string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[function]
}

func (f *faulty) openSessions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sessions)
}

func (f *faulty) most() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.max
}

func (f *faulty) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *faulty) real(slot uint) uint {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slot - f.shift
}

func (f *faulty) Initialize(o ...p11.InitializeOption) error {
	if err := f.enter("C_Initialize"); err != nil {
		return err
	}
	return f.api.Initialize(o...)
}

func (f *faulty) Finalize() error {
	if err := f.enter("C_Finalize"); err != nil {
		return err
	}
	f.set(func() { clear(f.sessions) })
	return f.api.Finalize()
}

func (f *faulty) GetSlotList(present bool) ([]uint, error) {
	if err := f.enter("C_GetSlotList"); err != nil {
		return nil, err
	}
	slots, err := f.api.GetSlotList(present)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range slots {
		slots[i] += f.shift
	}
	return slots, err
}

func (f *faulty) GetTokenInfo(slot uint) (p11.TokenInfo, error) {
	if err := f.enter("C_GetTokenInfo"); err != nil {
		return p11.TokenInfo{}, err
	}
	info, err := f.api.GetTokenInfo(f.real(slot))
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.tokens != nil {
		f.tokens(slot-f.shift, &info)
	}
	return info, err
}

func (f *faulty) GetSlotInfo(slot uint) (p11.SlotInfo, error) {
	info, err := f.api.GetSlotInfo(f.real(slot))
	f.set(func() {
		if f.hardware {
			info.Flags |= p11.CKF_HW_SLOT
		}
	})
	return info, err
}

func (f *faulty) GetMechanismInfo(slot uint, m []*p11.Mechanism) (p11.MechanismInfo, error) {
	return f.api.GetMechanismInfo(f.real(slot), m)
}

func (f *faulty) GetMechanismList(slot uint) ([]*p11.Mechanism, error) {
	all, err := f.api.GetMechanismList(f.real(slot))
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*p11.Mechanism
	for _, m := range all {
		if !f.hidden[m.Mechanism] {
			out = append(out, m)
		}
	}
	return out, err
}

func (f *faulty) OpenSession(slot, flags uint) (p11.SessionHandle, error) {
	if err := f.enter("C_OpenSession"); err != nil {
		return 0, err
	}
	s, err := f.api.OpenSession(f.real(slot), flags)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.sessions[s] = true
		f.max = max(f.max, len(f.sessions))
	}
	return s, err
}

func (f *faulty) CloseSession(s p11.SessionHandle) error {
	if err := f.enter("C_CloseSession"); err != nil {
		return err
	}
	f.set(func() { delete(f.sessions, s) })
	return f.api.CloseSession(s)
}

func (f *faulty) Login(s p11.SessionHandle, user uint, pin string) error {
	if err := f.enter("C_Login"); err != nil {
		return err
	}
	return f.api.Login(s, user, pin)
}

func (f *faulty) GetAttributeValue(s p11.SessionHandle, h p11.ObjectHandle, a []*p11.Attribute) ([]*p11.Attribute, error) {
	if err := f.enter(fmt.Sprintf("C_GetAttributeValue %#x", a[0].Type)); err != nil {
		return nil, err
	}
	return f.api.GetAttributeValue(s, h, a)
}

func (f *faulty) SignInit(s p11.SessionHandle, m []*p11.Mechanism, h p11.ObjectHandle) error {
	if f.hides(m) {
		return p11.Error(p11.CKR_MECHANISM_INVALID)
	}
	if err := f.enter("C_SignInit"); err != nil {
		return err
	}
	return f.api.SignInit(s, m, h)
}

func (f *faulty) Sign(s p11.SessionHandle, message []byte) ([]byte, error) {
	if err := f.enter("C_Sign"); err != nil {
		return nil, err
	}
	out, err := f.api.Sign(s, message)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spoil != nil {
		out = f.spoil(out)
	}
	return out, err
}

func (f *faulty) DeriveKey(s p11.SessionHandle, m []*p11.Mechanism, h p11.ObjectHandle, a []*p11.Attribute) (p11.ObjectHandle, error) {
	if f.hides(m) {
		return 0, p11.Error(p11.CKR_MECHANISM_INVALID)
	}
	if err := f.enter("C_DeriveKey"); err != nil {
		return 0, err
	}
	return f.api.DeriveKey(s, m, h, a)
}

func (f *faulty) DestroyObject(s p11.SessionHandle, h p11.ObjectHandle) error {
	if err := f.enter("C_DestroyObject"); err != nil {
		return err
	}
	return f.api.DestroyObject(s, h)
}

func (f *faulty) GenerateKey(s p11.SessionHandle, m []*p11.Mechanism, a []*p11.Attribute) (p11.ObjectHandle, error) {
	if f.hides(m) {
		return 0, p11.Error(p11.CKR_MECHANISM_INVALID)
	}
	if err := f.enter("C_GenerateKey"); err != nil {
		return 0, err
	}
	return f.api.GenerateKey(s, m, a)
}

func (f *faulty) GenerateKeyPair(s p11.SessionHandle, m []*p11.Mechanism, public, private []*p11.Attribute) (p11.ObjectHandle, p11.ObjectHandle, error) {
	if err := f.enter("C_GenerateKeyPair"); err != nil {
		return 0, 0, err
	}
	return f.api.GenerateKeyPair(s, m, public, private)
}

func (f *faulty) hides(m []*p11.Mechanism) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hidden[m[0].Mechanism]
}
