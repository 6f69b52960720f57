package wire

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// AccessChange is one difference between two access lists.
type AccessChange struct {
	Text string
	// TakesAway says that somebody may do less than before, so that what is in work
	// may be theirs.
	TakesAway bool
}

// Changes are the differences of a list from the one before it, in a fixed order.
func (a *Access) Changes(before *Access) []AccessChange {
	c := changes{}
	was, is := before.parties(), a.parties()
	for _, who := range sortedKeys(was, is) {
		old, had := was[who]
		now, has := is[who]
		switch {
		case !had:
			c.add(false, "%s was added", who)
		case !has:
			c.add(true, "%s was removed", who)
		default:
			c.keys(who, now.keys.without(old.keys), old.keys.without(now.keys))
			c.kinds(who, old.kinds, now.kinds)
		}
	}
	a.administratorChanges(before, &c)
	revokedBefore, revoked := before.revocations(), a.revocations()
	for _, who := range revoked {
		if !slices.Contains(revokedBefore, who) {
			c.add(true, "%s was revoked", who)
		}
	}
	for _, who := range revokedBefore {
		if !slices.Contains(revoked, who) {
			c.add(false, "%s is revoked no more", who)
		}
	}
	return c
}

// TakesAway reports whether somebody may do less by a list than by the one before.
func (a *Access) TakesAway(before *Access) bool {
	return slices.ContainsFunc(a.Changes(before), func(c AccessChange) bool { return c.TakesAway })
}

// SameVoices reports whether two lists revoke the same nodes and session keys. If not,
// their readers may find different values in the rounds.
func (a *Access) SameVoices(before *Access) bool {
	voices := func(a *Access) []string {
		all := slices.DeleteFunc(a.revocations(), func(who string) bool { return strings.HasPrefix(who, "gateway ") })
		slices.Sort(all)
		return slices.Compact(all)
	}
	return slices.Equal(voices(a), voices(before))
}

type changes []AccessChange

func (c *changes) add(takesAway bool, format string, args ...any) {
	*c = append(*c, AccessChange{fmt.Sprintf(format, args...), takesAway})
}

// keys tells of keys that came and that went.
func (c *changes) keys(who string, came, went []string) {
	switch {
	case len(came) > 0 && len(went) > 0:
		c.add(true, "%s has another key: %s in the place of %s", who,
			strings.Join(came, " and "), strings.Join(went, " and "))
	case len(came) > 0:
		c.add(false, "%s has one more key: %s", who, came[0])
	case len(went) > 0:
		c.add(true, "%s has one key less: %s counts no more", who, went[0])
	}
}

func (c *changes) kinds(who string, was, is []Kind) {
	for _, k := range Kinds {
		switch had, has := slices.Contains(was, k), slices.Contains(is, k); {
		case had && !has:
			c.add(true, "%s may not publish %s jobs any more", who, k)
		case has && !had:
			c.add(false, "%s may publish %s jobs", who, k)
		}
	}
}

// party is a client or a gateway of a list.
type party struct {
	keys  keys
	kinds []Kind
}

func (a *Access) parties() map[string]party {
	all := map[string]party{}
	if a == nil {
		return all
	}
	for name, c := range a.clients {
		all["client "+name] = party{c.keys, c.Kinds}
	}
	for name, g := range a.gateways {
		all["gateway "+name] = party{keys: g}
	}
	return all
}

func (a *Access) revocations() (all []string) {
	if a == nil {
		return nil
	}
	for _, i := range a.revoked.Nodes {
		all = append(all, "node "+strconv.Itoa(i))
	}
	for _, key := range a.revoked.Identities {
		all = append(all, "the node with the identity key "+hex.EncodeToString(key))
	}
	for _, key := range a.revoked.SessionKeys {
		all = append(all, "the session key "+hex.EncodeToString(key))
	}
	for _, name := range a.revoked.Gateways {
		all = append(all, "gateway "+name)
	}
	return all
}

// Strangers are the nodes that a list revokes and a manifest does not have.
func (a *Access) Strangers(m *Manifest) (all []string) {
	for _, i := range a.revoked.Nodes {
		if i >= len(m.Nodes) {
			all = append(all, strconv.Itoa(i))
		}
	}
	for _, key := range a.revoked.Identities {
		if !slices.ContainsFunc(m.Nodes, func(n NodeCard) bool { return slices.Equal(n.Identity, key) }) {
			all = append(all, hex.EncodeToString(key))
		}
	}
	return all
}

// Ambiguous are the nodes that a list revokes by an index that stands for one device in one of
// the manifests and for another in another: all of them are revoked.
func (a *Access) Ambiguous(manifests []*Manifest) (indices []int) {
	for _, i := range a.revoked.Nodes {
		var devices [][]byte
		for _, m := range manifests {
			if i < len(m.Nodes) && !contains(devices, m.Nodes[i].Identity) {
				devices = append(devices, m.Nodes[i].Identity)
			}
		}
		if len(devices) > 1 {
			indices = append(indices, i)
		}
	}
	return indices
}

// Unlisted are the gateways that a list revokes and does not have.
func (a *Access) Unlisted() (names []string) {
	for _, name := range a.revoked.Gateways {
		if _, listed := a.gateways[name]; !listed {
			names = append(names, name)
		}
	}
	return names
}

// sortedKeys are the keys of all maps.
func sortedKeys[V any](maps ...map[string]V) (keys []string) {
	for _, m := range maps {
		for key := range m {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
