package selftest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/launch"
)

// program is what one reads before it runs, beside its configuration.
type program struct {
	detail   string       // says which one it is
	files    func() error // that [bus] names, and its own key
	manifest func(*Step) error
	access   string
}

// programSteps are those of every program. configure reads the configuration file.
func programSteps(enrolling bool, configure func() (program, error)) []step {
	var p program
	read := []string{"config"}
	unless := func(check func(*Step) error) func(context.Context, *Step) error {
		return func(_ context.Context, s *Step) error {
			err := check(s)
			if enrolling {
				s.Status, s.Detail, s.Remedy = Skipped, "not looked at while the node enrols", ""
				return nil
			}
			return err
		}
	}
	return []step{
		{"config", nil, func(_ context.Context, s *Step) (err error) {
			p, err = configure()
			s.Detail = p.detail
			return err
		}},
		{"bus files", read, func(context.Context, *Step) error { return p.files() }},
		{"manifest file", read, unless(func(s *Step) error { return p.manifest(s) })},
		{"access list", read, unless(func(s *Step) error {
			list, err := launch.LoadAccess(p.access)
			if err == nil {
				s.Detail = strings.Join(list.Overlaps(), "; ")
			}
			return err
		})},
	}
}

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
	return append(programSteps(t.o.Enrolling, t.configure),
		step{"storage", read, func(context.Context, *Step) error {
			return launch.CheckDirectory("node.storage_path", t.node.Node.StoragePath)
		}},
		step{"keys", read, func(context.Context, *Step) error { return launch.CheckProvider(t.node, t.o.Enrolling) }},
	)
}

func (t *test) configure() (_ program, err error) {
	if t.node, err = launch.ParseNode(t.path); err != nil {
		return program{}, err
	}
	n := &t.node.Node
	t.report.Provider = n.KeyProvider.Type
	detail := fmt.Sprintf("node %d, %s, type %s", n.Index, t.node.Network.Type, n.KeyProvider.Type)
	return program{detail, t.node.CheckFiles, t.loadManifest, n.Access}, nil
}

// CheckGateway checks what a gateway reads.
func CheckGateway(path string) *Report {
	var g *config.Gateway
	report := &Report{Config: path}
	steps := programSteps(false, func() (_ program, err error) {
		if g, err = config.ParseGateway(path); err != nil {
			return program{}, err
		}
		manifest := func(*Step) error { _, err := g.LoadManifest(); return err }
		files := func() error {
			_, err := launch.LoadWebhooks(&g.HTTP)
			return errors.Join(g.CheckFiles(), err)
		}
		return program{"gateway " + g.Gateway.Name, files, manifest, g.Gateway.Access}, nil
	})
	storage := func(_ context.Context, s *Step) error {
		if !g.Bus.Embedded {
			s.Detail = "this gateway stores nothing"
			return nil
		}
		return launch.CheckDirectory("bus.store_path", g.Bus.StorePath)
	}
	walk(context.Background(), report, append(steps, step{"storage", []string{"config"}, storage}), nil)
	return report
}

// CheckClient checks what a client reads. With load it also makes a client's
// configuration of that, in which one thing must agree with the other. web checks what names
// gateways that are asked over HTTP, and says which these are.
func CheckClient(path string, load func(path string) error, web func() (string, error)) *Report {
	report := &Report{Config: path}
	steps := programSteps(false, func() (program, error) {
		c, err := config.ParseClient(path)
		if err != nil {
			return program{}, err
		}
		manifest := func(*Step) error { _, err := config.LoadManifest(c.Client.Manifest); return err }
		return program{"client " + c.Client.Name, c.CheckFiles, manifest, c.Client.Access}, nil
	})
	agreement := func(context.Context, *Step) error { return load(path) }
	gateways := func(_ context.Context, s *Step) (err error) {
		s.Detail, err = web()
		return err
	}
	needs := []string{"bus files", "manifest file", "access list"}
	steps = append(steps, step{"agreement", needs, agreement}, step{"http files", []string{"config"}, gateways})
	walk(context.Background(), report, steps, nil)
	return report
}
