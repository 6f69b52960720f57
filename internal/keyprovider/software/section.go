package software

import (
	"context"
	"errors"
	"io/fs"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Type names this back end.
const Type = "software"

// Backend keeps keys in a file, for development.
func Backend() keyprovider.Backend {
	return keyprovider.Backend{
		Type: Type, Section: func() keyprovider.Section { return new(Section) },
		Operations: []string{keyprovider.OpSign, keyprovider.OpDerive},
	}
}

// Section is [node.key_provider] with type = "software".
type Section struct {
	KeyFile       string `toml:"key_file"`
	AllowInsecure bool   `toml:"allow_insecure"` // on mainnet all the same
}

// Check implements keyprovider.Section.
func (s *Section) Check(t keyprovider.Table, n keyprovider.Node) {
	t.Require("key_file", s.KeyFile)
	t.Absolute(&s.KeyFile)
	if n.Network == "mainnet" && !s.AllowInsecure {
		t.Fail("type", "is %q, which keeps keys in a plain file: on mainnet use a device, "+
			"or set allow_insecure = true if nothing of value is at stake", Type)
	}
}

// CanDerive implements keyprovider.Section.
func (*Section) CanDerive(keyprovider.Node) error { return nil }

// CheckMachine implements keyprovider.Section: it reads the key file.
func (s *Section) CheckMachine(n keyprovider.Node, _ bool) error {
	p, err := s.Open(context.Background(), n, keyprovider.Options{})
	if err != nil {
		return err
	}
	return p.Close()
}

// Policy implements keyprovider.Section.
func (*Section) Policy() keyprovider.Policy { return keyprovider.Policy{} }

// Charges implements keyprovider.Section.
func (*Section) Charges() keyprovider.Prices { return keyprovider.Prices{} }

// Open implements keyprovider.Section.
func (s *Section) Open(_ context.Context, n keyprovider.Node, o keyprovider.Options) (keyprovider.Provider, error) {
	p, err := Open(Options{Path: s.KeyFile, Network: n.Network, AllowInsecure: s.AllowInsecure, Observe: o.Observe})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// DeviceKeys implements keyprovider.Section.
func (s *Section) DeviceKeys(keyprovider.Node) []keyprovider.DeviceKey {
	return []keyprovider.DeviceKey{{
		Use: keyprovider.UseBoth, Name: "file " + s.KeyFile, Destroy: "shred -u " + keyprovider.ShellWord(s.KeyFile),
	}}
}

const inTheClear = "private keys in the clear: for development only"

// Provision implements keyprovider.Section.
func (s *Section) Provision(context.Context, keyprovider.Node, keyprovider.Options) (*keyprovider.Provisioned, error) {
	state := "made"
	if err := Generate(s.KeyFile); errors.Is(err, fs.ErrExist) {
		state = "was there, and was not touched"
	} else if err != nil {
		return nil, err
	}
	fact := keyprovider.Fact{Name: "key file " + s.KeyFile, Value: state, Warning: inTheClear}
	return &keyprovider.Provisioned{Provider: Type, Facts: []keyprovider.Fact{fact}}, nil
}
