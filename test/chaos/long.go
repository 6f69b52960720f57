package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

// scenario takes some of the figures, each on a fleet of its own.
type scenario struct {
	name  string
	goals []goal
	run   func(m *measuring)
	links bool // it breaks the network
}

// measuring is a scenario under way. The fleet's programs are as they are shipped, but
// for the clock: without the race detector.
type measuring struct {
	*Stand
	scenario *scenario
	user     *user
	figures  *[]Figure
}

// figure records what was measured.
func (m *measuring) figure(name string, value float64) {
	m.t.Helper()
	for _, g := range m.scenario.goals {
		if g.name == name {
			f := Figure{g.name, value, g.unit, g.String(), g.reached(value)}
			*m.figures = append(*m.figures, f)
			m.Event("%s: %.2f %s, goal %s", name, value, g.unit, g)
			return
		}
	}
	m.t.Fatalf("scenario %s has no goal for %q", m.scenario.name, name)
}

// Long takes the figures and then runs seeds until its time is over.
type Long struct {
	Out  io.Writer
	Only *regexp.Regexp // scenarios; nil: all, and then seeds
	Time time.Duration  // of everything
	Seed uint64         // the first
}

// Run returns what was measured, and whether something failed that must hold in each
// run. A figure that misses its goal is no failure.
func (l *Long) Run(ctx context.Context) (figures []Figure, failed bool) {
	begin := time.Now()
	for i := range scenarios {
		s := &scenarios[i]
		if l.Only != nil && !l.Only.MatchString(s.name) {
			continue
		}
		fmt.Fprintf(l.Out, "\n%s  scenario %s, %d of %d\n", since(begin), s.name, i+1, len(scenarios))
		if l.program(ctx, func(t fleettest.T) { l.scenario(t, s, &figures) }) {
			fmt.Fprintf(l.Out, "scenario %s FAILED; again: make chaos LONG=1 ONLY=%s\n", s.name, s.name)
			failed = true
		}
	}
	for seed := l.Seed; l.Only == nil && time.Since(begin) < l.Time && ctx.Err() == nil; seed++ {
		fmt.Fprintf(l.Out, "\n%s  seed %d, until %s\n", since(begin), seed, l.Time)
		if l.program(ctx, func(t fleettest.T) {
			Start(t, Options{Race: true, Links: true, Out: l.Out}).Run(seed, LongBounds)
		}) {
			fmt.Fprintf(l.Out, "seed %d FAILED; again: make chaos SEED=%d LONG=1\n", seed, seed)
			failed = true
		}
	}
	return figures, failed
}

func since(begin time.Time) string { return time.Since(begin).Round(time.Second).String() }

// program runs f, and shows what it said if it failed.
func (l *Long) program(ctx context.Context, f func(t fleettest.T)) (failed bool) {
	var said bytes.Buffer
	failed = fleettest.Program(ctx, &said, f)
	if failed {
		_, _ = said.WriteTo(l.Out)
	}
	return failed
}

func (l *Long) scenario(t fleettest.T, s *scenario, figures *[]Figure) {
	m := &measuring{Stand: Start(t, Options{Links: s.links, Out: l.Out}), scenario: s, figures: figures}
	m.user = m.newUser("client.toml")
	for _, chain := range chains {
		m.must(m.user.keygen(t.Context(), chain, 20))
	}
	m.user.warm()
	s.run(m)
	m.whole()
	m.finish(&load{user: m.user, stop: func() {}})
}

// warm has a fleet that just started sign a little, untold.
func (u *user) warm() {
	for i := range 20 {
		u.s.must(u.insist(u.s.t.Context(), u.s.t.Context(), chains[i%2], 1))
	}
}

// LongBounds are those of the long form's seeds.
var LongBounds = Bounds{Steps: 10, Min: 2 * time.Second, Max: 15 * time.Second}
