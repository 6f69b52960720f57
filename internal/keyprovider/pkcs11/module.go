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

	// Each holds one token, for one at a time.
	logins  chan struct{}
	opening chan struct{} // until nothing of the opening is under way
	ecdh    chan struct{} // derivations by ECDH

	// Under the gate.
	ready  bool // initialised
	theirs bool // by somebody else in this process: not ours to finalise

	mu    sync.Mutex
	users map[*Provider]bool
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
			ecdh: make(chan struct{}, 1), users: map[*Provider]bool{}}
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
	ready := m.ready
	m.gate.RUnlock()
	if ready {
		return false, nil
	}
	m.gate.Lock() // nobody is in a library that is not initialised
	defer m.gate.Unlock()
	if m.ready {
		return false, nil
	}
	_, err = m.initialize()
	return true, err
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
	if m.inUse(spare) {
		return errors.New("other tokens of the library are in use in this process: restart it for a fresh list of tokens")
	}
	if !m.theirs {
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

// inUse reports whether there are connections that work, but to the slot spare.
func (m *module) inUse(spare *uint) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.users {
		if c := p.last(); c != nil && c.works() && (spare == nil || c.slot != *spare) {
			return true
		}
	}
	return false
}

// finalize wants the write lock.
func (m *module) finalize() error {
	if err := m.api.Finalize(); err != nil && !errors.Is(err, p11.Error(p11.CKR_CRYPTOKI_NOT_INITIALIZED)) {
		return fmt.Errorf("C_Finalize: %w", err)
	}
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
	last = len(m.users) == 0
	m.mu.Unlock()
	if !last || !m.ready || m.theirs {
		return nil
	}
	return m.finalize()
}
