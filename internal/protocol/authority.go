package protocol

import (
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// authority is who may speak, by the access list that counts now, and for whom nothing is
// done.
type authority struct {
	freezes
	opener *wire.Opener
	access *atomic.Pointer[wire.Access] // judges read it beside Step
}

func newAuthority(m *wire.Manifest, access *wire.Access) authority {
	a := authority{newFreezes(m, nil), wire.NewOpener(m, access), &atomic.Pointer[wire.Access]{}}
	a.access.Store(access)
	return a
}

// change takes a new access list, and returns the one that counted before.
func (a authority) change(access *wire.Access) (before *wire.Access) {
	a.opener.SetAccess(access)
	return a.access.Swap(access)
}
