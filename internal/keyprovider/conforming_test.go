package keyprovider_test

import (
	"path/filepath"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/conformance"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
)

// TestConformance: every layer keeps the contract.
func TestConformance(t *testing.T) {
	subject := func() func() (keyprovider.Provider, error) {
		path := filepath.Join(t.TempDir(), "key.json")
		if err := software.Generate(path); err != nil {
			t.Fatal(err)
		}
		return func() (keyprovider.Provider, error) {
			p, err := software.Open(software.Options{Path: path, Network: "regtest"})
			if err != nil {
				return nil, err
			}
			return keyprovider.Supervise(p, keyprovider.Policy{Name: "software"}, nil), nil
		}
	}
	conformance.Run(t, conformance.Subject{Open: subject(), OpenOther: subject()})
}
