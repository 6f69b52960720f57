package wire

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
)

// MaxAdministrators is how many administrators an access list may have. CONTROL has room
// for what each of so many may store.
const MaxAdministrators = 16

// Administrator is who may freeze, and help to unfreeze.
type Administrator struct {
	Name string
	Key  ed25519.PublicKey
}

type administrator struct {
	key ed25519.PublicKey
	*verifier
}

// WithAdministrators is the list with administrators in it. The quorum is how many of them
// unfreeze; 0: a majority. Keys that others of the list have are refused.
func (a *Access) WithAdministrators(list []Administrator, quorum int) (*Access, error) {
	if len(list) > MaxAdministrators {
		return nil, fmt.Errorf("%d administrators: a fleet has at most %d", len(list), MaxAdministrators)
	}
	owner := a.owners()
	with := *a
	with.administrators = map[string]administrator{}
	for _, one := range list {
		if !token.MatchString(one.Name) {
			return nil, fmt.Errorf("administrator %q: use 1 to 64 letters, digits, _ or -", one.Name)
		}
		if _, ok := with.administrators[one.Name]; ok {
			return nil, fmt.Errorf("administrator %q is listed twice", one.Name)
		}
		if other, taken := owner[string(one.Key)]; taken {
			return nil, fmt.Errorf("administrator %q has the key of %s", one.Name, other)
		}
		owner[string(one.Key)] = "administrator " + one.Name
		v, err := newVerifier(one.Key)
		if err != nil {
			return nil, fmt.Errorf("administrator %q: %w", one.Name, err)
		}
		with.administrators[one.Name] = administrator{one.Key, v}
	}
	var err error
	with.quorum, err = UnfreezeQuorum(len(list), quorum)
	return &with, err
}

// UnfreezeQuorum is how many of m administrators unfreeze, if a list names that number, or
// a majority if it names 0.
func UnfreezeQuorum(m, named int) (int, error) {
	switch {
	case named == 0 && m > 0:
		return m/2 + 1, nil
	case named < 0, named > m:
		return 0, fmt.Errorf("%d administrators are to unfreeze, of %d: name 1 to %d", named, m, m)
	}
	return named, nil
}

// Quorum is how many administrators unfreeze; 0: there are none.
func (a *Access) Quorum() int {
	if a == nil {
		return 0
	}
	return a.quorum
}

// AdministratorOf is the name under which the list has a key; "" if it has it not.
func (a *Access) AdministratorOf(key ed25519.PublicKey) string {
	if a != nil {
		for name, one := range a.administrators {
			if one.key.Equal(key) {
				return name
			}
		}
	}
	return ""
}

// SameAdministrators reports whether two lists have the same administrators. If not,
// messages in CONTROL may count that did not, or no more.
func (a *Access) SameAdministrators(before *Access) bool {
	return maps.Equal(a.adminKeys(), before.adminKeys()) && a.Quorum() == before.Quorum()
}

// adminKeys are the administrators' keys by name.
func (a *Access) adminKeys() map[string]string {
	keys := map[string]string{}
	if a != nil {
		for name, one := range a.administrators {
			keys[name] = string(one.key)
		}
	}
	return keys
}

var errNotAdministrator = errors.New("the access list has no such administrator")

// verifyAdministrator checks an administrator's signature, and returns the key that made it.
func (a *Access) verifyAdministrator(name string, message, signature []byte) (key string, err error) {
	if a == nil {
		return "", errNotAdministrator
	}
	one, ok := a.administrators[name]
	if !ok {
		return "", fmt.Errorf("administrator %.64q: %w", name, errNotAdministrator)
	}
	if !one.verify(message, signature) {
		return "", fmt.Errorf("not signed by administrator %.64q under the key in the access list", name)
	}
	return string(one.key), nil
}

// administratorChanges are the differences between two lists' administrators. None takes
// away what is in work: what they froze stays frozen.
func (a *Access) administratorChanges(before *Access, c *changes) {
	was, is := before.adminKeys(), a.adminKeys()
	for _, name := range sortedKeys(was, is) {
		old, had := was[name]
		now, has := is[name]
		switch {
		case !had:
			c.add(false, "administrator %s was added", name)
		case !has:
			c.add(false, "administrator %s was removed; what it froze stays frozen, and its votes to unfreeze count no more", name)
		case old != now:
			c.add(false, "administrator %s has another key; what it froze stays frozen, and its votes to unfreeze count no more", name)
		}
	}
	if a.Quorum() != before.Quorum() {
		c.add(false, "unfreeze_quorum is %d, it was %d", a.Quorum(), before.Quorum())
	}
}
