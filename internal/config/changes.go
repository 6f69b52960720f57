package config

import (
	"crypto/subtle"
	"reflect"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Change is a setting that two configurations have differently. The values may be
// secret: see Reloadable.
type Change struct {
	Key           string // such as node.index
	Before, After any
}

// Reloadable reports whether a program takes the new value while it runs. Such a
// setting is not secret.
func (c Change) Reloadable() bool {
	return c.Key == "log.level" || strings.HasPrefix(c.Key, pricesTable) || slices.Contains(httpAtOnce, c.Key)
}

// httpAtOnce are the lists of the section [http] that count when they change.
var httpAtOnce = []string{"http.token", "http.certificate", "http.webhook"}

// pricesTable begins the keys of what a key provider's calls cost.
const pricesTable = providerTable + "prices."

// NodeChanges lists the settings in which two files of a node differ.
func NodeChanges(before, after *Node) []Change { return changes(before, after) }

// GatewayChanges lists the settings in which two files of a gateway differ.
func GatewayChanges(before, after *Gateway) []Change { return changes(before, after) }

func changes(before, after any) []Change {
	return differ(nil, "", reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem())
}

// differ goes through the settings of two tables of one type.
func differ(all []Change, table string, a, b reflect.Value) []Change {
	for _, field := range reflect.VisibleFields(a.Type()) {
		key := field.Tag.Get("toml")
		if key == "" || key == "-" {
			continue
		}
		key = join(table, key)
		x, y := a.FieldByIndex(field.Index), b.FieldByIndex(field.Index)
		if isTable(x) {
			all = differ(all, key, x, y)
		} else if x, y := x.Interface(), y.Interface(); !same(x, y) {
			all = append(all, Change{key, x, y})
		}
	}
	if p, ok := a.Addr().Interface().(*KeyProvider); ok {
		q := b.Addr().Interface().(*KeyProvider)
		if x, y := reflect.ValueOf(p.Section).Elem(), reflect.ValueOf(q.Section).Elem(); x.Type() == y.Type() {
			all = differ(all, table, x, y)
		} // otherwise the type has changed, and with it all else
	}
	return all
}

// same compares two values of a setting.
func same(x, y any) bool {
	a, secret := x.(keyprovider.Secret)
	if !secret {
		return reflect.DeepEqual(x, y)
	}
	b, _ := y.(keyprovider.Secret) // of the same type
	if a.Bytes == nil || b.Bytes == nil {
		return a.Bytes == b.Bytes
	}
	return subtle.ConstantTimeCompare(a.Expose(), b.Expose()) == 1
}
