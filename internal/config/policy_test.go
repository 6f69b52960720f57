package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const somePolicy = "version = 1\n[[rule]]\nname = \"a\"\nclients = [\"*\"]\nkeys = [\"*\"]\nkinds = [\"psbt\"]\n"

// What is wrong with a policy comes as the errors of other files do.
func TestLoadPolicy(t *testing.T) {
	t.Parallel()
	path := write(t, somePolicy)
	p, err := LoadPolicy(path, "regtest")
	if err != nil || len(p.Rules()) != 1 {
		t.Fatal(p, err)
	}
	for text, want := range map[string]string{
		somePolicy + "kind = [\"psbt\"]\n": path + ":7: rule",
		"version = 2\n":                    path + ":1: version",
		"":                                 "version",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var all Errors
		if _, err := LoadPolicy(path, "regtest"); !errors.As(err, &all) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := LoadPolicy(filepath.Join(t.TempDir(), "none"), "regtest"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A node's file names its policy, relative to its own folder, and loading it reads that.
func TestNodePolicy(t *testing.T) {
	t.Parallel()
	file := write(t, `[network]
type = "regtest"
[server]
role = "node"
[node]
index = 0
storage_path = "data"
max_signers = 1
min_signers = 1
policy = "policy.toml"
key_provider = { type = "software", key_file = "k.json" }
`)
	n, err := parseNode(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(file), "policy.toml")
	if n.Node.Policy != path {
		t.Fatalf("%s, want %s", n.Node.Policy, path)
	}
	for text, want := range map[string]string{"": ":10: node.policy: ", "version = 3\n": path + ":1: version", somePolicy: ""} {
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if text == "" {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		for what, err := range map[string]error{"check": n.CheckFiles(), "load": loaded(file)} {
			if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", what, err, want)
			}
		}
	}
}

func loaded(file string) error {
	_, err := loadNode(file)
	return err
}
