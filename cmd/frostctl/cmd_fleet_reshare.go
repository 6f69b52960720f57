package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

const fleetReshareLong = `Reshare moves the fleet's keys to the nodes of the next manifest, and shows how
far that is. Gateways and nodes do it in the background, and signing goes on;
addresses do not change. Ctrl-C ends what is shown here, not the resharing:
--pause does.

It publishes the next manifest, waits for the approvals of enough nodes of now
(frost-worker accept-manifest) and for the next fleet's workers, and then has
keys move until none is left. Begin it again at any time: it goes on where the
fleet is.

  --dry-run  says what would move, and what is missing for that
  --status   says how far it is
  --pause    lets no other batch begin; what is under way ends
  --resume   the same as no flag`

// reshareFlags are what fleet reshare is told.
type reshareFlags struct {
	registerOptions
	dry, status, pause, resume bool
	every                      time.Duration
}

func newFleetReshareCommand() *cobra.Command {
	var o reshareFlags
	cmd := &cobra.Command{
		Use: "reshare NEXT.json --manifest FILE", Short: "Move the fleet's keys to the next manifest's nodes (administrator)",
		Long: fleetReshareLong,
		Example: `  frostctl fleet reshare next.json --manifest manifest.json --url nats://127.0.0.1:4222
  frostctl fleet reshare next.json --manifest manifest.json --dry-run`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, next, err := loadNext(o.manifest, args[0])
			if err != nil {
				return err
			}
			if o.every <= 0 {
				return usagef("--every %v: want more than 0", o.every)
			}
			return o.connected(cmd, func(_ *wire.Lineage, b *bus.Bus) error {
				r := &resharing{cmd: cmd, bus: b, m: m, next: next, every: o.every}
				return r.run(cmd.Context(), o)
			})
		},
	}
	o.flags(cmd, true)
	f := cmd.Flags()
	f.BoolVar(&o.dry, "dry-run", false, "change nothing: say what would move, and what is missing")
	f.BoolVar(&o.status, "status", false, "say how far it is, and end")
	f.BoolVar(&o.pause, "pause", false, "let no other batch begin")
	f.BoolVar(&o.resume, "resume", false, "go on after --pause")
	f.DurationVar(&o.every, "every", 2*time.Second, "how often to look")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "status", "pause", "resume")
	_ = cmd.MarkFlagFilename("manifest", "json")
	return cmd
}

// resharing is what the command does on the bus.
type resharing struct {
	cmd     *cobra.Command
	bus     *bus.Bus
	m, next *wire.Manifest
	every   time.Duration
	seen    heads
}

// reshareState is how far a resharing is, as --json prints it.
type reshareState struct {
	Next      string  `json:"next"`      // hash of the manifest
	Approved  []int   `json:"approved"`  // nodes of now
	Forced    []int   `json:"forced"`    // those of them that approved by force
	Needed    int     `json:"needed"`    // approvals, or
	NeededBy  int     `json:"or_forced"` // so many that are forced
	Succeeds  bool    `json:"succeeds"`  // KEYS has enough approvals
	Fork      string  `json:"fork,omitempty"`
	Present   []int   `json:"present"` // nodes of the next fleet
	Absent    []int   `json:"absent"`  //
	Running   bool    `json:"running"` // keys move
	said      uint64  // sequence of the administrator's word on it
	Moved     int     `json:"moved_keys"` //
	Left      int     `json:"left_keys"`
	MovedB    int     `json:"moved_batches"`
	LeftB     int     `json:"left_batches"`
	PerSecond float64 `json:"keys_per_second,omitempty"`
	Remaining float64 `json:"remaining_seconds,omitempty"`
}

func (r *resharing) run(ctx context.Context, o reshareFlags) error {
	state, err := r.look(ctx)
	if err != nil {
		return err
	}
	switch {
	case o.status || o.dry:
		return r.print(state, o.dry)
	case o.pause:
		if _, err := r.pace(ctx, false); err != nil {
			return err
		}
		return say(r.cmd, map[string]any{"paused": true}, "paused: batches under way end, no other begins\n")
	case state.Fork != "":
		return errors.New(state.Fork)
	}
	if err := r.publish(ctx); err != nil {
		return err
	}
	return r.follow(ctx, state)
}

// publish puts the next manifest where gateways find it: its hash proves it.
func (r *resharing) publish(ctx context.Context) error {
	for _, m := range []*wire.Manifest{r.m, r.next} {
		data, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = r.bus.PublishSlot(ctx, wire.ManifestSubject(m.Hash()), data, nil, func(standing bus.Message) bool {
			stored, err := wire.ParseManifest(standing.Data)
			return err == nil && stored.Hash() == m.Hash()
		})
		if err != nil {
			return fmt.Errorf("store the manifest in KEYS: %w", err)
		}
	}
	return nil
}

// pace is the administrator's word on whether keys move. It returns its sequence.
func (r *resharing) pace(ctx context.Context, run bool) (uint64, error) {
	hash := r.next.Hash()
	data, err := json.Marshal(wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: run})
	if err != nil {
		return 0, err
	}
	seq, err := r.bus.Publish(ctx, wire.PaceSubject, data, nil)
	if err != nil {
		return 0, fmt.Errorf("tell the gateways: %w", err)
	}
	return seq, nil
}

// follow waits for what is missing, has keys move, and shows how far that is.
func (r *resharing) follow(ctx context.Context, state *reshareState) error {
	var bar *progress
	var waited string
	var told uint64 // sequence of this command's word
	began, from := time.Now(), -1
	for {
		switch state.turn(told, from >= 0) {
		case turnWait:
			if missing := state.missing(); missing != waited {
				note(r.cmd, "%s", missing)
				waited = missing
			}
		case turnPaused:
			note(r.cmd, "paused by somebody else: --resume goes on")
			return r.print(state, false)
		case turnRun:
			var err error
			if told, err = r.pace(ctx, true); err != nil {
				return err
			}
		case turnHeard:
		case turnDone:
			if bar != nil {
				bar.finish()
			}
			return r.done(state)
		case turnShow:
			if from < 0 {
				began, from = time.Now(), state.Moved
				bar = newProgress(r.cmd, "keys", state.Moved+state.Left)
			}
			state.estimate(from, time.Since(began))
			r.show(bar, state)
		}
		if err := backoff.Sleep(ctx, r.every); err != nil {
			return fmt.Errorf("the resharing goes on without this command: %w", err)
		}
		var err error
		if state, err = r.look(ctx); err != nil {
			return err
		}
	}
}

// turn is what a command that has keys move does with what it saw.
type turn int

const (
	turnWait   turn = iota // for what is missing
	turnRun                // have keys move
	turnHeard              // nothing: a replica has not heard of this command's word yet
	turnShow               // how far it is
	turnPaused             // end: somebody paused it
	turnDone
)

// turn decides. told is the sequence of this command's word that keys move, 0 before it; ran
// says whether the command saw them move.
func (s *reshareState) turn(told uint64, ran bool) turn {
	switch {
	case s.missing() != "":
		return turnWait
	case !s.Running && (ran || told > 0 && s.said > told):
		return turnPaused
	case !s.Running && told == 0:
		return turnRun
	case !s.Running:
		return turnHeard
	case s.Left == 0:
		return turnDone
	}
	return turnShow
}

// show shows the bar, or a line with rate and remaining time where there is none.
func (r *resharing) show(bar *progress, s *reshareState) {
	if bar.bar != nil {
		bar.update(s.Moved, s.Moved+s.Left)
		return
	}
	if bar.json {
		_ = printJSON(bar.w, s)
		return
	}
	note(r.cmd, "%d of %d keys, %.0f a second, %s to go", s.Moved, s.Moved+s.Left, s.PerSecond,
		time.Duration(s.Remaining*float64(time.Second)).Round(time.Second))
}

func (r *resharing) done(s *reshareState) error {
	return show(r.cmd, s, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "all %d keys are with the nodes of manifest %s\n"+
			"then, on each machine that holds old shares: frost-worker retire --config node.toml\n", s.Moved, s.Next)
		return err
	})
}

// estimate computes rate and remaining time of what moved since.
func (s *reshareState) estimate(from int, took time.Duration) {
	if moved := s.Moved - from; moved > 0 && took > 0 {
		s.PerSecond = float64(moved) / took.Seconds()
		s.Remaining = float64(s.Left) / s.PerSecond
	}
}

// missing is what has to be done before keys can move; "" if nothing is.
func (s *reshareState) missing() string {
	switch {
	case s.Fork != "":
		return s.Fork
	case !s.Succeeds && len(s.Approved) < s.Needed && len(s.Forced) < s.NeededBy:
		return fmt.Sprintf("waiting for approvals (frost-worker accept-manifest): nodes %v of now gave theirs; it takes %d, "+
			"or %d that are forced", s.Approved, s.Needed, s.NeededBy)
	case !s.Succeeds:
		return "enough nodes approved: waiting for a gateway to say so in KEYS"
	case len(s.Absent) > 0:
		return fmt.Sprintf("waiting for the workers of nodes %v of the next manifest", s.Absent)
	}
	return ""
}

func (r *resharing) print(s *reshareState, dry bool) error {
	return show(r.cmd, s, func(w io.Writer) error {
		fmt.Fprintf(w, "next manifest   %s\n", s.Next)
		fmt.Fprintf(w, "approved by     nodes %v of now (%v forced); it takes %d, or %d that are forced\n", s.Approved, s.Forced,
			s.Needed, s.NeededBy)
		fmt.Fprintf(w, "next nodes      %v are there, %v are not\n", s.Present, s.Absent)
		fmt.Fprintf(w, "keys            %d moved in %d batches, %d to move in %d\n", s.Moved, s.MovedB, s.Left, s.LeftB)
		text := s.missing()
		switch {
		case text != "":
		case dry:
			text = "nothing is missing: without --dry-run the keys move"
		case s.Left == 0:
			text = "done"
		case s.Running:
			text = "keys move"
		default:
			text = "paused, or not begun"
		}
		_, err := fmt.Fprintln(w, text)
		return err
	})
}
