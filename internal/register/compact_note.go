package register

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What is noted of KEYS before it is deleted: by it a compaction that ended halfway goes on.

// note is what is known of KEYS before it is deleted.
type note struct {
	Version     int      `json:"version"`
	Fleet       string   `json:"fleet"`
	StreamID    string   `json:"stream_id"`
	LastSeq     uint64   `json:"last_seq"`
	Config      []byte   `json:"config"`
	Manifests   [][]byte `json:"manifests"`
	Successions [][]byte `json:"successions"` // since version 2
	Entries     Summary  `json:"entries"`
}

const noteVersion = 2

// note reads the file again, compares it with KEYS, and notes what KEYS is.
func (c *Compaction) note(ctx context.Context) (*note, error) {
	if err := c.tell("verify the export"); err != nil {
		return nil, err
	}
	n := &note{Version: noteVersion, Fleet: c.Lineage.Pinned().Fleet}
	var err error
	if n.StreamID, err = c.Bus.StreamID(ctx, bus.Keys); err != nil {
		return nil, err
	}
	if n.LastSeq, err = c.Bus.LastSeq(ctx, bus.Keys); err != nil {
		return nil, err
	}
	if n.Config, err = c.Bus.Config(ctx, bus.Keys); err != nil {
		return nil, err
	}
	if err = c.noteManifests(ctx, n); err != nil {
		return nil, err
	}
	if n.Entries, err = c.compare(ctx, false); err != nil {
		return nil, err
	}
	data, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	part := filepath.Join(c.Dir, noteFile+".part")
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	return n, errors.Join(os.Rename(part, filepath.Join(c.Dir, noteFile)), secret.SyncDir(c.Dir))
}

// maxNoted bounds the manifests that are noted, and the successions.
const maxNoted = 1 << 13

// noteManifests notes the fleet's manifests, also those that nodes may still come to approve,
// and what proves that one follows another: of those that nobody goes by, too, if two follow
// one.
func (c *Compaction) noteManifests(ctx context.Context, n *note) error {
	seen := map[[32]byte]bool{}
	err := each(ctx, c.Bus, wire.Manifests, func(data []byte) bool {
		m, err := wire.ParseManifest(data)
		if err == nil && m.FleetID() == c.Lineage.Pinned().FleetID() && !seen[m.Hash()] {
			seen[m.Hash()] = true
			n.Manifests = append(n.Manifests, data)
		}
		return len(n.Manifests) < maxNoted
	})
	if err != nil {
		return err
	}
	clear(seen)
	return each(ctx, c.Bus, wire.Successions, func(data []byte) bool {
		if _, next, err := openSuccession(c.Lineage, data); err == nil && !seen[next.Hash()] {
			seen[next.Hash()] = true
			n.Successions = append(n.Successions, data)
		}
		return len(n.Successions) < maxNoted
	})
}

// noted is the note of an earlier run, nil if there is none.
func (c *Compaction) noted() (*note, error) {
	data, err := os.ReadFile(filepath.Join(c.Dir, noteFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var n note
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	if err == nil && (n.Version < 1 || n.Version > noteVersion || n.Fleet != c.Lineage.Pinned().Fleet) {
		err = fmt.Errorf("a compaction of fleet %q, format %d", n.Fleet, n.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(c.Dir, noteFile), err)
	}
	if _, err := c.read(func(*Entry) error { return nil }); err != nil {
		return nil, fmt.Errorf("the file that KEYS is to be made of: %w", err)
	}
	return &n, nil
}
