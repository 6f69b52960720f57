package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/fleet"
)

// joiner is the folder of the node that takes the killed one's place.
const joiner = "node0-new"

// epoch is that of the next manifest: a fleet's first one has 1.
const epoch = 2

// replace takes the place of the killed worker by one with other keys: the fleet's keys move
// to a next manifest's nodes, of which it is one. Then another worker is killed, so that the
// new one has to sign. Every step is the command that an operator types.
func (d *demo) replace(ctx context.Context) error {
	d.Step("replacing worker 0 by a new one with its own keys: the keys move, their addresses stay")
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	dir := filepath.Join(d.Dir, "fleet")
	o := d.fleet
	card, err := o.Join(ctx, dir, fleet.Joiner{Folder: joiner, Index: 0, Epoch: epoch, Port: ports[0]})
	if err != nil {
		return err
	}
	if err := d.succeed(ctx, dir, card); err != nil {
		return err
	}
	p, err := startProcess("the new worker 0", "frost-worker", filepath.Join(dir, joiner, "node.toml"), ports[0], stopTime)
	if err != nil {
		return err
	}
	d.processes = append(d.processes, p)
	if err := p.await(ctx); err != nil {
		return err
	}
	if err := d.reshare(ctx, dir); err != nil {
		return err
	}
	d.Step("killing worker 1 too, and signing with worker 2 and the new one")
	if err := d.killWorker(); err != nil {
		return err
	}
	for _, keys := range [][]client.Key{d.taproot, d.solana} {
		if err := d.sign(ctx, items(keys, downCount, "reshared")); err != nil {
			return err
		}
	}
	key := d.taproot[0]
	if err := spend(ctx, d.client, key.Address, client.SignItem{Key: key.ID, PublicKey: key.PublicKey}); err != nil {
		return fmt.Errorf("spending from an address whose key has moved: %w", err)
	}
	d.report.Signatures++
	d.report.SignaturesVerified++
	d.report.SignedAfterResharing = true
	return nil
}

// succeed makes the next manifest, and has the operators of the two workers left approve it.
func (d *demo) succeed(ctx context.Context, dir string, joins fleet.Card) error {
	cards := []string{filepath.Join(dir, "card0.json")}
	data, err := json.Marshal(joins.Card)
	if err != nil {
		return err
	}
	if err := os.WriteFile(cards[0], data, 0o600); err != nil {
		return err
	}
	for i := 1; i < nodes; i++ {
		card, err := output(ctx, "frost-worker", "enroll", "--config", filepath.Join(dir, fleet.NodeFile(i)), "--fleet", "demo",
			"--epoch", fmt.Sprint(epoch))
		if err != nil {
			return err
		}
		file := filepath.Join(dir, fmt.Sprintf("card%d.json", i))
		if err := os.WriteFile(file, card, 0o600); err != nil {
			return err
		}
		cards = append(cards, file)
	}
	next := filepath.Join(dir, fleet.NextFile)
	prepare := append([]string{"fleet", "next", "prepare", "--manifest", filepath.Join(dir, fleet.ManifestFile),
		"--threshold", fmt.Sprint(threshold), "--out", next}, cards...)
	if _, err := output(ctx, "frostctl", prepare...); err != nil {
		return err
	}
	for i := 1; i < nodes; i++ {
		// Two of three are no quorum: a fleet that has lost a node forces it.
		if _, err := output(ctx, "frost-worker", "accept-manifest", next, "--config", filepath.Join(dir, fleet.NodeFile(i)),
			"--forced", "--yes"); err != nil {
			return err
		}
	}
	return nil
}

// reshare moves the keys.
func (d *demo) reshare(ctx context.Context, dir string) error {
	begin := time.Now()
	out, err := output(ctx, "frostctl", "fleet", "reshare", filepath.Join(dir, fleet.NextFile), "--manifest",
		filepath.Join(dir, fleet.ManifestFile), "--url", d.busURL, "--every", "100ms", "--json")
	if err != nil {
		return err
	}
	var state struct {
		Moved int `json:"moved_keys"`
		Left  int `json:"left_keys"`
	}
	if err := json.Unmarshal(out, &state); err != nil {
		return fmt.Errorf("fleet reshare printed %.200q: %w", out, err)
	}
	if state.Left > 0 {
		return fmt.Errorf("%d keys have not moved", state.Left)
	}
	d.report.ResharedKeys = state.Moved
	d.report.ResharedPerSecond = perSecond(state.Moved, time.Since(begin))
	return nil
}

// commandTime is for one of the commands.
const commandTime = 2 * time.Minute

// output runs a program that is beside the running one, and returns what it prints.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), program), args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := command.StartChild(cmd); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s %s: %w", program, args[0], err), errors.New(said.String()))
	}
	return out.Bytes(), nil
}
