// Package descriptor writes and reads what watch-only wallets import: extended public
// keys (BIP 32) and output descriptors (BIPs 380, 386, 389) of the form
//
//	tr([fingerprint]xpub/<0;1>/*)#checksum
//
// which stands for the taproot outputs, without scripts, of all children 0/i (to
// receive) and 1/i (change) of one key. That is the only form of descriptor here. The
// package has no I/O, and all of its data is public.
package descriptor

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/internal/derive"
)

// Descriptor is an account: a key whose children 0 and 1 are chains of addresses.
type Descriptor struct {
	Root Fingerprint // of the root of the tree
	Path derive.Path // from there to Key; empty for the root itself
	Key  ExtendedKey
}

// maxPath leaves room for the two steps to an address.
const maxPath = derive.MaxDepth - 2

// Errors that callers distinguish.
var (
	// ErrDescriptor means that a text is no descriptor of the form that this package has.
	ErrDescriptor = errors.New("not a descriptor of a fleet's key: want tr([fingerprint]xpub/<0;1>/*)#checksum")
	// ErrNetwork means that a descriptor is one of another network.
	ErrNetwork = errors.New("a descriptor of another network: xpub is of mainnet, tpub of the test networks")
)

// New returns the descriptor of what path leads to from root.
func New(v Version, root derive.Key, path derive.Path) (Descriptor, error) {
	if len(path) > maxPath {
		return Descriptor{}, derive.ErrTooDeep
	}
	k, err := Extend(v, root, path)
	if err != nil {
		return Descriptor{}, err
	}
	return Descriptor{FingerprintOf(root.PublicKey), append(derive.Path(nil), path...), k}, nil
}

const (
	prefix = "tr(["
	chains = "/<0;1>/*)"
)

// String returns the descriptor with its checksum. There is one text each.
func (d Descriptor) String() string { return addChecksum(d.text(chains)) }

// Chain returns the descriptor of one of the two chains, 0 to receive or 1 for change,
// for wallets that don't read BIP 389's <0;1>.
func (d Descriptor) Chain(chain uint32) string {
	return addChecksum(d.text(fmt.Sprintf("/%d/*)", chain)))
}

func (d Descriptor) text(rest string) string {
	origin := d.Root.String()
	if len(d.Path) > 0 {
		origin += "/" + d.Path.String()
	}
	return prefix + origin + "]" + d.Key.String() + rest
}

// Parse reads what [Descriptor.String] writes, for a network: the checksum is required,
// and depth, index and fingerprints must agree. It refuses hardened steps.
func Parse(v Version, text string) (Descriptor, error) {
	if len(text) > maxDescriptor {
		return Descriptor{}, ErrDescriptor
	}
	script, err := cutChecksum(text)
	if err != nil {
		return Descriptor{}, err
	}
	inner, ok := strings.CutPrefix(script, prefix)
	if inner, ok = cut(inner, chains, ok); !ok {
		return Descriptor{}, ErrDescriptor
	}
	origin, key, ok := strings.Cut(inner, "]")
	if !ok {
		return Descriptor{}, ErrDescriptor
	}
	var d Descriptor
	if d.Root, d.Path, err = parseOrigin(origin); err != nil {
		return Descriptor{}, err
	}
	if d.Key, err = ParseExtendedKey(key); err != nil {
		return Descriptor{}, err
	}
	if d.Key.Version != v {
		return Descriptor{}, ErrNetwork
	}
	if err := d.check(); err != nil {
		return Descriptor{}, err
	}
	return d, nil
}

// cut is strings.CutSuffix, if ok.
func cut(s, suffix string, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, suffix)
}

// maxDescriptor is the length of the longest text.
var maxDescriptor = len(prefix) + 8 + derive.MaxDepth*11 + 1 + maxText + len(chains) + 1 + checksumSize

// parseOrigin reads 8 hexadecimal digits in lower case, and a path.
func parseOrigin(origin string) (root Fingerprint, path derive.Path, err error) {
	digits, steps, more := strings.Cut(origin, "/")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(root) || hex.EncodeToString(b) != digits {
		return root, nil, fmt.Errorf("%w: the fingerprint has 8 hexadecimal digits in lower case", ErrDescriptor)
	}
	if more {
		if path, err = derive.ParsePath(steps); err != nil {
			return root, nil, fmt.Errorf("origin of a descriptor: %w", err)
		}
	}
	return Fingerprint(b), path, nil
}

// check compares the origin with what the key says of itself.
func (d Descriptor) check() error {
	wrong := func(what string) error { return fmt.Errorf("%w: %s", ErrDescriptor, what) }
	if len(d.Path) > maxPath {
		return derive.ErrTooDeep
	}
	if int(d.Key.Depth) != len(d.Path) {
		return wrong("the key is of another depth than its origin")
	}
	if d.Key.Depth == 0 {
		if FingerprintOf(d.Key.PublicKey[:]) != d.Root {
			return wrong("the fingerprint is not that of the key")
		}
		return nil
	}
	if d.Key.Index != d.Path[len(d.Path)-1] {
		return wrong("the key is at another index than its origin")
	}
	if d.Key.Depth == 1 && d.Key.Parent != d.Root {
		return wrong("the key has another parent than its origin")
	}
	return nil
}
