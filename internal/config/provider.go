package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// KeyProvider is the table [node.key_provider]. Its keys but type are the back
// end's: see the Section of each package below internal/keyprovider.
type KeyProvider struct {
	Type string `toml:"type"`

	Backend keyprovider.Backend `toml:"-" json:"-"`
	Section keyprovider.Section `toml:"-"` // checked
}

const providerTable = "node.key_provider."

// check finds the back end of the type, and has it decode and check its keys.
func (k *KeyProvider) check(s *source, n keyprovider.Node, backends []keyprovider.Backend) {
	var types []string
	for _, b := range backends {
		types = append(types, b.Type)
	}
	s.OneOf(providerTable+"type", k.Type, types...)
	i := slices.Index(types, k.Type)
	if i < 0 {
		return
	}
	k.Backend = backends[i]
	k.Section = k.Backend.Section()
	s.section(k.Type, k.Section)
	table := *s
	table.table = providerTable
	k.Section.Check(&table, n)
	s.errors = table.errors
}

// isBackendKey reports whether a key is one of the back end's.
func isBackendKey(path string) bool {
	return strings.HasPrefix(path, providerTable) && path != providerTable+"type"
}

// section decodes the table into a back end's section.
func (s *source) section(kind string, section keyprovider.Section) {
	before := len(s.errors)
	s.decode(section, func(path string) (string, bool) {
		return strings.TrimPrefix(path, providerTable), isBackendKey(path)
	})
	for _, e := range s.errors[before:] {
		if e.Message == unknownKey && !strings.Contains(strings.TrimPrefix(e.Key, providerTable), ".") {
			e.Message = fmt.Sprintf("is not for type %q, which has %s", kind, strings.Join(Keys(section), ", "))
		}
	}
}

// Keys lists the keys of a section.
func Keys(section keyprovider.Section) (keys []string) {
	for _, field := range reflect.VisibleFields(reflect.TypeOf(section).Elem()) {
		if key := field.Tag.Get("toml"); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}
