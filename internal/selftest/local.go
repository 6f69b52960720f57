package selftest

import (
	"context"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/launch"
)

// CheckNode checks what a worker reads, and reaches nothing outside the
// machine. Enrolling skips the manifest and the access list.
func CheckNode(path string, enrolling bool) *Report {
	t := &test{path: path, o: Options{Enrolling: enrolling}, report: &Report{Config: path}}
	walk(context.Background(), t.report, t.localSteps(), nil)
	return t.report
}

// localSteps are those that need no device.
func (t *test) localSteps() []step {
	read := []string{"config"}
	return []step{
		{"config", nil, t.config},
		{"bus files", read, func(context.Context, *Step) error { return t.node.CheckFiles() }},
		{"manifest file", read, t.manifestFile},
		{"access list", read, func(_ context.Context, s *Step) error {
			return accessList(s, t.node.Node.Access, t.o.Enrolling)
		}},
		{"storage", read, func(context.Context, *Step) error { return launch.CheckStorage(t.node) }},
		{"keys", read, func(context.Context, *Step) error { return launch.CheckProvider(t.node, t.o.Enrolling) }},
	}
}

func (t *test) config(_ context.Context, s *Step) (err error) {
	if t.node, err = launch.ParseNode(t.path); err != nil {
		return remedied{err, "correct " + t.path}
	}
	t.report.Provider = t.node.Node.KeyProvider.Type
	s.Detail = fmt.Sprintf("node %d, %s, type %s", t.node.Node.Index, t.node.Network.Type, t.report.Provider)
	return nil
}

const enrolling = "not looked at while the node enrols"

func (t *test) manifestFile(_ context.Context, s *Step) error {
	if t.loadManifest(); t.o.Enrolling { // the device's keys are compared with one that is there
		s.Status, s.Detail = Skipped, enrolling
		return nil
	}
	return t.noGood
}

func accessList(s *Step, path string, skip bool) error {
	if skip {
		s.Status, s.Detail = Skipped, enrolling
		return nil
	}
	_, err := launch.LoadAccess(path)
	return err
}

// CheckGateway checks what a gateway reads.
func CheckGateway(path string) *Report {
	var g *config.Gateway
	read := []string{"config"}
	report := &Report{Config: path}
	walk(context.Background(), report, []step{
		{"config", nil, func(_ context.Context, s *Step) (err error) {
			if g, err = config.ParseGateway(path); err != nil {
				return remedied{err, "correct " + path}
			}
			s.Detail = "gateway " + g.Gateway.Name
			return nil
		}},
		{"bus files", read, func(context.Context, *Step) error { return g.CheckFiles() }},
		{"manifest file", read, func(context.Context, *Step) error {
			_, err := g.LoadManifest()
			return err
		}},
		{"access list", read, func(_ context.Context, s *Step) error { return accessList(s, g.Gateway.Access, false) }},
		{"storage", read, func(_ context.Context, s *Step) error {
			if !g.Bus.Embedded {
				s.Detail = "this gateway stores nothing"
				return nil
			}
			return launch.CheckDirectory("bus.store_path", g.Bus.StorePath)
		}},
	}, nil)
	return report
}

// CheckClient checks what a client reads. With load it also makes a client's
// configuration of that, in which one thing must agree with the other.
func CheckClient(path string, load func(path string) error) *Report {
	var c *config.Client
	read := []string{"config"}
	report := &Report{Config: path}
	walk(context.Background(), report, []step{
		{"config", nil, func(_ context.Context, s *Step) (err error) {
			if c, err = config.ParseClient(path); err != nil {
				return remedied{err, "correct " + path}
			}
			s.Detail = "client " + c.Client.Name
			return nil
		}},
		{"bus files", read, func(context.Context, *Step) error { return c.CheckFiles() }},
		{"manifest file", read, func(context.Context, *Step) error {
			_, err := config.LoadManifest(c.Client.Manifest)
			return err
		}},
		{"access list", read, func(_ context.Context, s *Step) error { return accessList(s, c.Client.Access, false) }},
		{"agreement", []string{"bus files", "manifest file", "access list"},
			func(context.Context, *Step) error { return load(path) }},
	}, nil)
	return report
}
