package config

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// LoadManifest reads and validates a manifest file.
func LoadManifest(path string) (*wire.Manifest, error) {
	text, err := secret.File{What: "manifest", Path: path, Max: wire.MaxJobSize, Public: true}.Text()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: get the fleet's manifest.json from its operators, "+
			"or make a fleet with frostctl fleet init", err)
	}
	if err != nil {
		return nil, err
	}
	m, err := wire.ParseManifest(text.Expose())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
