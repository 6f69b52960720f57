//go:build cgo

package pkcs11

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// A module is one library, with one owner in the process: here. It stays
// loaded, as some libraries don't survive being unloaded, and is finalised
// when nobody uses it.
type module struct {
	api  api
	args []byte         // for C_Initialize, ending in NUL; nil: none
	pin  runtime.Pinner // of args, for ever: the library may keep the pointer

	// gate is held for reading around every use of the library, and for
	// writing around its initialisation. A call that hangs keeps it, so
	// nothing waits for the write lock while calls may be under way.
	gate sync.RWMutex

	// generation counts initialisations: sessions and handles of an earlier
	// one mean nothing, or something else.
	generation atomic.Int64

	logins  chan struct{} // holds one token: logins go one after the other
	opening chan struct{} // the same for openings, until nothing of them is under way

	mu     sync.Mutex
	users  map[*Provider]bool
	ready  bool                   // initialised
	theirs bool                   // by somebody else in this process: not ours to finalise
	ecdh   map[uint]chan struct{} // holds one token, for one derivation at a time, by slot
}

var registry = struct {
	sync.Mutex
	modules map[string]*module // by resolved path
}{modules: map[string]*module{}}

// acquire returns the module of a provider, which uses it until release.
func acquire(p *Provider, load loader) (*module, error) {
	registry.Lock()
	defer registry.Unlock()
	path, args := p.o.Library, p.o.InitArgs
	m := registry.modules[path]
	if m == nil {
		loaded, err := load(path)
		if err != nil {
			return nil, err
		}
		m = &module{api: loaded, logins: make(chan struct{}, 1), opening: make(chan struct{}, 1),
			users: map[*Provider]bool{}, ecdh: map[uint]chan struct{}{}}
		if args != "" {
			m.args = append([]byte(args), 0)
			m.pin.Pin(&m.args[0])
		}
		registry.modules[path] = m
	}
	if string(bytes.TrimSuffix(m.args, []byte{0})) != args {
		return nil, errors.New("pkcs11: " + path + " is in use in this process with other init_args")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[p] = true
	return m, nil
}

// resolve gives the library its one name.
func (o *Options) resolve() error {
	path, err := filepath.EvalSymlinks(o.Library)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return &keyprovider.Error{Reason: keyprovider.NotFound, Provider: name, Action: "load", Key: o.Library,
			Remedy: "correct pkcs11_library, or install the token's software (SoftHSM: apt-get install softhsm2)", Err: err}
	}
	o.Library = path
	return nil
}

// loadLibrary loads a real one.
func loadLibrary(path string) (api, error) {
	ctx := p11.New(path)
	if ctx == nil {
		return nil, &keyprovider.Error{Reason: keyprovider.Other, Provider: name, Action: "load", Key: path,
			Remedy: "it is no PKCS#11 library that this program can load: is it for this processor (file " + path +
				"), and are the libraries that it needs there (ldd " + path + ")?"}
	}
	return ctx, nil
}

// ensure initialises the library unless it is. It reports whether it did.
func (m *module) ensure() (fresh bool, err error) {
	m.gate.RLock() // waits for a release under way
	ready := m.isReady()
	m.gate.RUnlock()
	if ready {
		return false, nil
	}
	m.gate.Lock() // nobody is in a library that is not initialised
	defer m.gate.Unlock()
	if m.isReady() {
		return false, nil
	}
	_, err = m.initialize()
	return true, err
}

func (m *module) isReady() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ready
}

// initialize wants the write lock. It reports whether somebody else had done it.
func (m *module) initialize() (theirs bool, err error) {
	var with []p11.InitializeOption // CKF_OS_LOCKING_OK is the binding's
	if m.args != nil {
		with = append(with, p11.InitializeWithReserved(unsafe.Pointer(&m.args[0])))
	}
	err = m.api.Initialize(with...)
	theirs = errors.Is(err, p11.Error(p11.CKR_CRYPTOKI_ALREADY_INITIALIZED))
	if err != nil && !theirs {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !theirs || !m.ready {
		m.generation.Add(1)
	}
	m.ready, m.theirs = true, theirs
	return theirs, nil
}

// reset finalises the library and initialises it again, if that disturbs
// nobody: no connection works but those to the slot spare, and no call is
// under way. Otherwise it says why not.
func (m *module) reset(spare *uint) error {
	if !m.gate.TryLock() {
		return errors.New("other calls to the library are under way")
	}
	defer m.gate.Unlock()
	theirs, others := m.inUse(spare)
	if others {
		return errors.New("other tokens of the library are in use in this process: restart it for a fresh list of tokens")
	}
	if !theirs {
		if err := m.finalize(); err != nil {
			return err
		}
	}
	theirs, err := m.initialize()
	if theirs {
		return errors.New("something else in this process initialised the library: restart it for a fresh list of tokens")
	}
	return err
}

// inUse reports whether the library was initialised by somebody else, and
// whether there are connections that work, but to the slot spare.
func (m *module) inUse(spare *uint) (theirs, others bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.users {
		c := p.last()
		others = others || c != nil && c.works() && (spare == nil || c.slot != *spare)
	}
	return m.theirs, others
}

// finalize wants the write lock.
func (m *module) finalize() error {
	if err := m.api.Finalize(); err != nil && !errors.Is(err, p11.Error(p11.CKR_CRYPTOKI_NOT_INITIALIZED)) {
		return fmt.Errorf("C_Finalize: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ready = false
	m.generation.Add(1) // at once: the next initialisation may fail
	return nil
}

// release takes a user away, who has no call under way. The last one finalises
// the library.
func (m *module) release(p *Provider) error {
	m.mu.Lock()
	delete(m.users, p)
	last := len(m.users) == 0
	m.mu.Unlock()
	if !last || !m.gate.TryLock() { // a new user is in it already
		return nil
	}
	defer m.gate.Unlock()
	m.mu.Lock()
	wanted := len(m.users) > 0 || !m.ready || m.theirs
	m.mu.Unlock()
	if wanted {
		return nil
	}
	return m.finalize()
}

// derivations holds a token while there is an ECDH derivation in a slot.
func (m *module) derivations(slot uint) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ecdh[slot] == nil {
		m.ecdh[slot] = make(chan struct{}, 1)
	}
	return m.ecdh[slot]
}
