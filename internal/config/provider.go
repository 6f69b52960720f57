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
	s.oneOf(providerTable+"type", k.Type, types)
	i := slices.Index(types, k.Type)
	if i < 0 {
		return
	}
	k.Backend = backends[i]
	k.Section = k.Backend.Section()
	if s.section(k.Type, k.Section) {
		k.Section.Check(table{s}, n)
	}
}

// isBackendKey reports whether an error is about a key of the back end's.
func (s *source) isBackendKey(e *Error) bool { return s.backendKey(e) != "" }

// backendKey returns the key of an error, without the table's name, if it is one
// of the back end's. TOML leaves an inline table's own name out of a key.
func (s *source) backendKey(e *Error) string {
	key, found := strings.CutPrefix(e.Key, providerTable)
	if i := s.at(e.Line); !found && i >= 0 && s.expressions[i].isKeyValue && s.expressions[i].path+"." == providerTable {
		key, found = strings.TrimPrefix(e.Key, "node."), true
	}
	if !found || key == "type" {
		return ""
	}
	return key
}

// section decodes the table into a back end's section. It reports whether the
// values can be checked.
func (s *source) section(kind string, section keyprovider.Section) bool {
	pass := newSource(s.path, s.dir, s.text)
	defer func() { clear(pass.text) }() // it may hold a PIN
	pass.skip = func(e *Error) bool { return !s.isBackendKey(e) }
	pass.respelled = s.respelled // are among the errors already
	ok := pass.decode(fileOf(section))
	for _, e := range pass.errors {
		key := s.backendKey(e)
		if key == "" || slices.Contains(s.respelled, e) {
			continue
		}
		if strings.HasPrefix(e.Message, unknownKey) && !strings.Contains(key, ".") {
			e.Message = fmt.Sprintf("is not for type %q, which has %s", kind, strings.Join(Keys(section), ", "))
		}
		e.Key = providerTable + key
		if key == "key_provider" { // an inline table, of which one value was wrong, is blanked as a whole
			e.Key, ok = strings.TrimSuffix(providerTable, "."), false
		}
		s.bad[e.Key] = true
		s.errors = append(s.errors, e)
	}
	return ok
}

// fileOf returns a pointer to a struct that TOML decodes a file into, of which it
// has [node.key_provider] alone.
func fileOf(section keyprovider.Section) any {
	node := reflect.StructOf([]reflect.StructField{{Name: "KeyProvider", Type: reflect.TypeOf(section),
		Tag: `toml:"key_provider"`}})
	file := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Node", Type: node, Tag: `toml:"node"`}}))
	file.Elem().Field(0).Field(0).Set(reflect.ValueOf(section))
	return file.Interface()
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

// table is [node.key_provider] as a back end checks it.
type table struct{ s *source }

var _ keyprovider.Table = table{}

func (t table) Has(key string) bool { return t.s.has(providerTable + key) }

func (t table) Fail(key, format string, args ...any) { t.s.fail(providerTable+key, format, args...) }

func (t table) Require(key, value string) { t.s.require(providerTable+key, value) }

func (t table) OneOf(key, value string, choices ...string) {
	t.s.oneOf(providerTable+key, value, choices)
}

func (t table) Between(key string, value, low, high int) {
	t.s.between(providerTable+key, value, low, high)
}

func (t table) Absolute(path *string) { t.s.absolute(path) }
