package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func options() Options {
	return Options{Name: "test", Network: "regtest", N: 2, T: 2, BusPort: 4222, Client: "client0", ServerPorts: []int{4000, 4001}}
}

// TestInit: everything is there, loads, agrees with itself, and is for its
// owner only, whatever the umask.
func TestInit(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "fleet")
	m, err := Init(t.Context(), dir, options())
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	g, err := config.LoadGateway(filepath.Join(dir, GatewayFile))
	if err != nil {
		t.Fatal(err)
	}
	if !g.Bus.Embedded || g.Server.Port != 4000 || !g.Gateway.CompactEntries {
		t.Errorf("gateway %+v", g)
	}
	if _, err := config.LoadAccess(g.Gateway.Access); err != nil {
		t.Error(err)
	}
	for i := range 2 {
		n, err := config.LoadNode(filepath.Join(dir, NodeFile(i)), backends.All())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.LoadManifest(); err != nil {
			t.Error(err)
		}
		if want := []int{4001, 0}[i]; n.Server.Port != want {
			t.Errorf("node %d listens on %d, want %d", i, n.Server.Port, want)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := wire.ParseManifest(data)
	if err != nil || stored.Hash() != m.Hash() {
		t.Errorf("the stored manifest is another: %v", err)
	}
	noSecrets(t, dir)
}

// noSecrets checks that the files to be handed round hold none.
func noSecrets(t *testing.T, dir string) {
	t.Helper()
	var secrets [][]byte
	for _, name := range []string{"gateway/gateway.key", clientKey} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, bytes.TrimSpace(data))
	}
	var key struct{ Identity, Derivation string }
	data, err := os.ReadFile(filepath.Join(dir, "node0/key.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &key); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, []byte(key.Identity), []byte(key.Derivation))
	for _, name := range []string{ManifestFile, AccessFile, ClientFile, GatewayFile, TargetsFile, NodeFile(0)} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if len(secret) < 32 || bytes.Contains(data, secret) {
				t.Errorf("%s holds a secret", name)
			}
		}
	}
}

// snapshot reads every file below a directory.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestInitNeverOverwrites: a directory with anything in it stays as it is.
func TestInitNeverOverwrites(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, err := Init(t.Context(), dir, options()); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	bad := options()
	bad.Name = "No Name" // also where the second call would fail later
	for _, o := range []Options{options(), bad} {
		if _, err := Init(t.Context(), dir, o); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("got %v", err)
		}
	}
	after := snapshot(t, dir)
	if len(after) != len(before) {
		t.Errorf("%d files, before %d", len(after), len(before))
	}
	for path, data := range before {
		if after[path] != data {
			t.Errorf("%s was changed", path)
		}
	}
	if err := writeNew(filepath.Join(dir, clientKey), []byte("x")); err == nil {
		t.Error("a key was overwritten")
	}
}

// TestInitFails: a fleet that can't be leaves nothing in the way of the next
// try.
func TestInitFails(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		change func(*Options)
		want   string
	}{
		"no nodes":                    {t.Context(), func(o *Options) { o.N = 0 }, "1 to 128"},
		"too many nodes":              {t.Context(), func(o *Options) { o.N = 129 }, "1 to 128"},
		"more signers than nodes":     {t.Context(), func(o *Options) { o.T = 3 }, "threshold 3 of 2"},
		"no signers":                  {t.Context(), func(o *Options) { o.T = 0 }, "threshold 0 of 2"},
		"a bad name":                  {t.Context(), func(o *Options) { o.Name = "No Name" }, "fleet"},
		"a bad client":                {t.Context(), func(o *Options) { o.Client = "a b" }, "client"},
		"an unknown network":          {t.Context(), func(o *Options) { o.Network = "moon" }, "mainnet"},
		"software keys on mainnet":    {t.Context(), func(o *Options) { o.Network = "mainnet" }, "allow_insecure"},
		"interrupted":                 {ended, func(*Options) {}, "canceled"},
		"an allowed but bad manifest": {t.Context(), func(o *Options) { o.Network, o.AllowInsecure = "moon", true }, "network"},
	} {
		dir := t.TempDir() // exists, and is empty
		o := options()
		test.change(&o)
		if m, err := Init(test.ctx, dir, o); err == nil || m != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if left := snapshot(t, dir); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
		if _, err := Init(t.Context(), dir, options()); err != nil {
			t.Errorf("%s: the next try: %v", name, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(t.Context(), file, options()); err == nil {
		t.Error("a file was taken for a directory")
	}
}

// TestMainnet: software keys on mainnet say so in every node's file.
func TestMainnet(t *testing.T) {
	o := options()
	o.Network, o.AllowInsecure, o.BusURL = "mainnet", true, "nats://bus.example:4222"
	dir := t.TempDir()
	if _, err := Init(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	n, err := config.LoadNode(filepath.Join(dir, NodeFile(1)), backends.All())
	if err != nil || !n.Node.KeyProvider.Section.(*software.Section).AllowInsecure || n.Bus.URL != o.BusURL {
		t.Errorf("%+v, %v", n, err)
	}
	g, err := config.LoadGateway(filepath.Join(dir, GatewayFile))
	if err != nil || g.Bus.Embedded || g.Bus.URL != o.BusURL {
		t.Errorf("%+v, %v", g, err)
	}
}
