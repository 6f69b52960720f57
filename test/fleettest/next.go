package fleettest

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/fleet"
)

// Next is a manifest that is to follow the fleet's, with as many other nodes.
type Next struct {
	Joiners []Joiner
	File    string // the manifest

	p *Processes
}

// PrepareNext starts the nodes of the next manifest, and does all that comes before keys move
// to them from the fleet's n nodes.
func (p *Processes) PrepareNext(n, t int) *Next {
	p.t.Helper()
	next := &Next{File: filepath.Join(p.Dir, fleet.NextFile), p: p}
	prepare := []string{"fleet", "next", "prepare", "--manifest", filepath.Join(p.Dir, fleet.ManifestFile),
		"--threshold", fmt.Sprint(t), "--out", next.File}
	for i := range n {
		j := p.Join(Joiner{Name: fmt.Sprint("next", i), Index: i, N: n, T: t, Manifest: fleet.NextFile})
		p.Do("frost-worker", "provision", "--config", j.File)
		card := filepath.Join(p.Dir, fmt.Sprintf("card%d.json", i))
		text := p.Do("frost-worker", "enroll", "--config", j.File, "--fleet", Name, "--epoch", "2")
		if err := os.WriteFile(card, []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
		prepare, next.Joiners = append(prepare, card), append(next.Joiners, j)
	}
	p.Do("frostctl", prepare...)
	for i := range n {
		p.Do("frost-worker", "accept-manifest", next.File, "--config", filepath.Join(p.Dir, fleet.NodeFile(i)), "--yes")
	}
	for _, j := range next.Joiners {
		p.StartJoiner(j)
	}
	return next
}

// Reshare runs frostctl fleet reshare for that manifest to its end.
func (n *Next) Reshare(flags ...string) error {
	_, err := n.p.Run("frostctl", append([]string{"fleet", "reshare", n.File,
		"--manifest", filepath.Join(n.p.Dir, fleet.ManifestFile), "--url", n.p.URL}, flags...)...)
	return err
}
