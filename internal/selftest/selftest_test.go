package selftest

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
)

// device is the software provider with what a test spoils of it.
type device struct {
	keyprovider.Provider
	identity func() (*ecdsa.PublicKey, error)
	sign     func(calls int) error
	derive   func(calls int) error
	probe    func() error
	describe func() error
	hangs    string // a call that only returns when its context ends
	signed   atomic.Int32
	derived  atomic.Int32
}

func (d *device) Identity(ctx context.Context) (*ecdsa.PublicKey, error) {
	if d.identity != nil {
		return d.identity()
	}
	return d.Provider.Identity(ctx)
}

func (d *device) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	calls := int(d.signed.Add(1))
	if d.hangs == "sign" {
		return nil, hang(ctx)
	}
	if d.sign != nil {
		if err := d.sign(calls); err != nil {
			return nil, err
		}
	}
	return d.Provider.Sign(ctx, digest)
}

func (d *device) Derive(ctx context.Context, label []byte) ([32]byte, error) {
	calls := int(d.derived.Add(1))
	if d.hangs == "derive" && calls >= 10 {
		return [32]byte{}, hang(ctx)
	}
	if d.derive != nil {
		if err := d.derive(calls); err != nil {
			return [32]byte{}, err
		}
	}
	return d.Provider.Derive(ctx, label)
}

func (d *device) Probe(ctx context.Context) error {
	if d.hangs == "probe" {
		return hang(ctx)
	}
	if d.probe != nil {
		return d.probe()
	}
	return nil
}

func (d *device) Describe(ctx context.Context) ([]keyprovider.Fact, error) {
	if d.hangs == "describe" {
		return nil, hang(ctx)
	}
	if d.describe != nil {
		return nil, d.describe()
	}
	return []keyprovider.Fact{{Name: "key", Value: "a key", Warning: "beware"}}, nil
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

var broken = &keyprovider.Error{
	Reason:   keyprovider.Denied,
	Provider: "aws-kms",
	Action:   "kms:Sign",
	Key:      "alias/a",
	Remedy:   "allow it",
}

func fails(int) error { return broken }

// newNode writes a fleet of two and gives the file of node 0.
func newNode(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, err := fleet.Init(t.Context(), dir, fleet.Options{Name: "test", Network: "regtest", N: 2, T: 1, BusPort: 4222, Client: "c"}); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, fleet.NodeFile(0))
}

// with opens a device over the node's software keys.
func with(d *device) func(context.Context, *config.Node, launch.ProviderOptions) (keyprovider.Provider, error) {
	return func(ctx context.Context, n *config.Node, o launch.ProviderOptions) (keyprovider.Provider, error) {
		p, err := launch.OpenProvider(ctx, n, o)
		d.Provider = p
		return d, err
	}
}

// statuses is a report in one line, what is local first: + passed, ! failed, - not run, . skipped.
func statuses(r *Report) (line string) {
	for i, s := range r.Steps {
		if s.Name == "load" && i > 0 {
			line += " "
		}
		line += map[Status]string{Passed: "+", Failed: "!", NotRun: "-", Skipped: "."}[s.Status]
	}
	return line
}

func find(t *testing.T, r *Report, name string) Step {
	t.Helper()
	for _, s := range r.Steps {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no step %s", name)
	return Step{}
}

// TestAllHolds: with real software keys every step passes, and the timed calls
// are as many as promised.
func TestAllHolds(t *testing.T) {
	var done []string
	var last, progressed int
	d := &device{}
	r := Run(t.Context(), newNode(t), Options{
		Done:     func(s Step) { done = append(done, s.Name) },
		Progress: func(n, total int) { last = n; progressed++; _ = total },
		open:     with(d),
	})
	if !r.OK || statuses(r) != "++++++ ++++++++++" || len(r.Failed()) != 0 || r.Provider != "software" {
		t.Errorf("%+v", r)
	}
	if fmt.Sprint(done) != "[config bus files manifest file access list storage keys load reach describe identity sign derive time sign time derive manifest session]" {
		t.Errorf("told of %v", done)
	}
	if last != 2*Calls || progressed != 2*Calls || len(r.Timings) != 2 {
		t.Errorf("%d of %d calls, timings %+v", last, progressed, r.Timings)
	}
	// One signature to check, 20 timed, one for the session; three derivations
	// to check, 20 timed, one for the card.
	if d.signed.Load() != 1+Calls+1 || d.derived.Load() != 3+Calls+1 {
		t.Errorf("%d signatures, %d derivations", d.signed.Load(), d.derived.Load())
	}
	if _, err := d.Provider.Identity(t.Context()); !errors.Is(err, keyprovider.ErrClosed) {
		t.Errorf("the provider is open: %v", err)
	}
	for _, timing := range r.Timings {
		if timing.Calls != Calls || timing.P99MS < timing.P50MS {
			t.Errorf("%+v", timing)
		}
	}
}

// TestFailures: what fails, what is not run because of it, and that the rest is
// run all the same.
func TestFailures(t *testing.T) {
	change := func(old, new string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			t.Helper()
			data, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(data), old) {
				t.Fatalf("%s does not have %s: %v", path, old, err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	manifest := func(t *testing.T, path string) string {
		t.Helper()
		n, err := launch.LoadNode(path)
		if err != nil {
			t.Fatal(err)
		}
		return n.Node.Manifest
	}
	unopened := func(err error) func(context.Context, *config.Node, launch.ProviderOptions) (keyprovider.Provider, error) {
		return func(context.Context, *config.Node, launch.ProviderOptions) (keyprovider.Provider, error) {
			return nil, err
		}
	}
	for name, test := range map[string]struct {
		device  *device
		o       Options
		prepare func(t *testing.T, path string)
		want    string
		step    string
		says    []string
	}{
		"a file that is none": {
			prepare: change("[node]", "[node"), want: "!----- ----------", step: "config", says: []string{"node.toml:"},
		},
		"a file with errors": {
			prepare: change("index = 0", "index = 7\nx = 1"), want: "!----- ----------", step: "config",
			says: []string{"node.index", "node.x"},
		},
		"no library": {
			o:    Options{open: unopened(&keyprovider.Error{Reason: keyprovider.NotFound, Action: "load", Remedy: "install it"})},
			want: "++++++ !---------", step: "load", says: []string{"install it"},
		},
		"no keys file": {
			prepare: change(`"key.json"`, `"none.json"`), o: Options{open: launch.OpenProvider}, want: "+++++! ----------",
			step: "keys", says: []string{"none.json"},
		},
		"a token that is gone": {o: Options{open: unopened(&keyprovider.Error{Reason: keyprovider.NotFound, Action: "find token", Remedy: "put it in"})}, want: "++++++ +!--------", step: "reach", says: []string{"not_found", "put it in"}},
		"not reached": {
			device: &device{probe: func() error { return broken }}, want: "++++++ +!--------", step: "reach",
			says: []string{"denied", "allow it"},
		},
		"not described": {
			device: &device{describe: func() error { return broken }}, want: "++++++ ++!+++++++", step: "describe",
			says: []string{"denied"},
		},
		"no identity": {
			device: &device{identity: func() (*ecdsa.PublicKey, error) { return nil, broken }}, want: "++++++ +++!-+-+--",
			step: "identity", says: []string{"denied"},
		},
		"does not sign": {
			device: &device{sign: fails}, want: "++++++ ++++!+-++-", step: "sign",
			says: []string{"kms:Sign with alias/a: denied", "allow it"},
		},
		"can't derive": {
			device: &device{derive: func(int) error { return keyprovider.ErrCannotDerive }}, want: "++++++ +++++!+-++",
			step: "derive", says: []string{"cannot_derive"},
		},
		"another identity": {
			prepare: change("index = 0", "index = 1"),
			device:  &device{derive: func(int) error { return keyprovider.ErrCannotDerive }}, want: "++++++ +++++!+-!-",
			step: "manifest", says: []string{"for node 1", "wrong [node] index"},
		},
		"signs ten times": {
			device: &device{sign: after(10)}, want: "++++++ ++++++!++!", step: "time sign",
			says: []string{"call 10 of 20", "throttled", "wait"},
		},
		"derives ten times": {
			device: &device{derive: after(10)}, want: "++++++ +++++++!!-", step: "time derive",
			says: []string{"call 8 of 20", "throttled"},
		},
		"the last one": {
			device: &device{sign: after(21)}, want: "++++++ +++++++++!", step: "session", says: []string{"throttled"},
		},
		"no manifest": {
			prepare: func(t *testing.T, path string) { _ = os.Remove(manifest(t, path)) }, want: "++!+++ ++++++++--",
			step: "manifest file", says: []string{"--enrolling"},
		},
		"no manifest yet": {
			prepare: func(t *testing.T, path string) { _ = os.Remove(manifest(t, path)) }, o: Options{Enrolling: true},
			want: "++..++ ++++++++..", step: "manifest", says: []string{"no manifest yet at"},
		},
		"a broken manifest": {
			prepare: func(t *testing.T, path string) { _ = os.WriteFile(manifest(t, path), []byte("{"), 0o600) },
			o:       Options{Enrolling: true}, want: "++..++ ++++++++!-", step: "manifest", says: []string{"manifest.json"},
		},
		"another manifest": {
			prepare: change("max_signers = 2", "max_signers = 3"), o: Options{Enrolling: true}, want: "++..++ ++++++++!-",
			step: "manifest", says: []string{"is 3, and the manifest has n = 2"},
		},
		"another node's place": {
			prepare: change("index = 0", "index = 1"), want: "++++++ ++++++++!-", step: "manifest",
			says: []string{"for node 1", "wrong [node] index"},
		},
		"a text not of a device": {
			device: &device{sign: func(int) error { return errors.New("strange") }}, want: "++++++ ++++!+-++-", step: "sign",
			says: []string{"strange"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := newNode(t)
			if test.prepare != nil {
				test.prepare(t, path)
			}
			if test.o.open == nil {
				if test.device == nil {
					test.device = new(device)
				}
				test.o.open = with(test.device)
			}
			r := Run(t.Context(), path, test.o)
			if statuses(r) != test.want || r.OK != !strings.ContainsAny(test.want, "!-") {
				t.Errorf("%s, ok %t; want %s: %+v", statuses(r), r.OK, test.want, r.Steps)
			}
			text, err := json.Marshal(find(t, r, test.step))
			if err != nil {
				t.Fatal(err)
			}
			for _, says := range test.says {
				if !strings.Contains(string(text), says) {
					t.Errorf("%s does not say %q", text, says)
				}
			}
		})
	}
}

// after fails from the nth call on.
func after(n int) func(int) error {
	return func(calls int) error {
		if calls <= n {
			return nil
		}
		return &keyprovider.Error{Reason: keyprovider.Throttled, Provider: "aws-kms", Remedy: "wait"}
	}
}

// TestHang: a device that does not answer keeps nobody, wherever it hangs, and is
// given up after the configured time.
func TestHang(t *testing.T) {
	for name, want := range map[string]string{
		"probe": "++++++ +!--------", "describe": "++++++ ++!+++++++",
		"sign": "++++++ ++++!+-++-", "derive": "++++++ +++++++!!-",
	} {
		t.Run(name, func(t *testing.T) {
			path := newNode(t)
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := Run(t.Context(), path, Options{open: with(&device{hangs: name})})
				if took := time.Since(start); statuses(r) != want || took > 40*time.Second {
					t.Errorf("%s after %s", statuses(r), took)
				}
				for _, s := range r.Steps {
					if s.Status == Failed && (s.Reason != keyprovider.Timeout || !strings.Contains(s.Remedy, "no answer within")) {
						t.Errorf("%+v", s)
					}
				}
			})
		})
	}
}

// TestInterrupted: the end of the context ends the walk.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := Run(ctx, newNode(t), Options{open: with(&device{}), Done: func(s Step) {
		if s.Name == "describe" {
			cancel()
		}
	}})
	if statuses(r) != "++++++ +++!-!----" || r.OK {
		t.Errorf("%s", statuses(r))
	}
}

// TestPrint: what failed and its remedy are on lines of their own, and
// the remedy once.
func TestPrint(t *testing.T) {
	var out strings.Builder
	s := Step{Name: "sign", Status: Passed}
	s.fail(fmt.Errorf("call 3: %w", broken))
	for _, s := range []Step{
		{Name: "load", Status: Passed, TookMS: 1.234, Detail: "node 0"},
		{Name: "describe", Status: Passed, Facts: []keyprovider.Fact{{Name: "key", Value: "v", Warning: "w"}}},
		s,
		{Name: "time sign", Status: NotRun, Detail: "needs sign"},
		{Name: "manifest", Status: Skipped},
	} {
		if err := s.Print(&out); err != nil {
			t.Fatal(err)
		}
	}
	want := `load          ok           1.2 ms  node 0
describe      ok           0.0 ms
  key: v
  WARNING: w
sign          FAILED       0.0 ms
  call 3: aws-kms: kms:Sign with alias/a: denied
  remedy: allow it
time sign     not run              needs sign
manifest      skipped
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

func TestQuantile(t *testing.T) {
	took := make([]time.Duration, 20)
	for i := range took {
		took[i] = time.Duration(20-i) * time.Millisecond
	}
	if got := newTiming("sign", took); got != (Timing{"sign", 20, 10, 20}) {
		t.Errorf("%+v", got)
	}
	if got := newTiming("sign", []time.Duration{time.Millisecond}); got.P50MS != 1 || got.P99MS != 1 {
		t.Errorf("%+v", got)
	}
	hundred := make([]time.Duration, 200)
	for i := range hundred {
		hundred[i] = time.Duration(i+1) * time.Millisecond
	}
	if got := newTiming("sign", hundred); got.P50MS != 100 || got.P99MS != 198 {
		t.Errorf("%+v", got)
	}
}
