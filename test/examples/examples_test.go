// Package examples_test runs what docs/jobs.md shows, against a live fleet:
// the examples in Go, Python, Java and TypeScript, and frostctl.
package examples_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// root is the module's folder.
const root = "../.."

// build compiles a command of the module.
func build(t *testing.T, folder string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), filepath.Base(folder))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, "./"+folder)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", folder, err, text)
	}
	return out
}

// output runs a program and returns its output, its exit code and what it said
// on standard error.
func output(t *testing.T, stdin string, name string, args ...string) (stdout string, code int, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", name, err)
	}
	return out.String(), cmd.ProcessState.ExitCode(), errs.String()
}

// succeed is output of a program that must end well.
func succeed(t *testing.T, name string, args ...string) string {
	t.Helper()
	stdout, code, stderr := output(t, "", name, args...)
	if code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s%s", name, strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// python has nats-py and cryptography: $FROSTFLEET_PYTHON, or python3.
func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("FROSTFLEET_PYTHON")
	if name == "" {
		name = "python3"
	}
	// The module's folder nats would pass for a package if it were the working directory.
	if text, err := exec.CommandContext(t.Context(), name, "-c", "import nats.aio.client, cryptography").CombinedOutput(); err != nil {
		t.Fatalf("%s can't run the Python example: %v\n%s\ninstall: %s -m pip install -r docs/examples/python/requirements.txt "+
			"(or name another interpreter in FROSTFLEET_PYTHON)", name, err, text, name)
	}
	return name
}

// java are the arguments of Java for its example. NATS' client is in $FROSTFLEET_JNATS,
// or where the example says.
func java(t *testing.T) []string {
	t.Helper()
	folder := filepath.Join(root, "docs/examples/java")
	library := os.Getenv("FROSTFLEET_JNATS")
	if library == "" {
		library = filepath.Join(folder, "lib")
	}
	if jars, err := filepath.Glob(filepath.Join(library, "jnats-*.jar")); err != nil || len(jars) != 1 {
		t.Fatalf("can't run the Java example: %d jnats in %s\ninstall: mvn -f docs/examples/java/pom.xml "+
			"dependency:copy-dependencies -DoutputDirectory=lib (or name another folder in FROSTFLEET_JNATS)", len(jars), library)
	}
	return []string{"-cp", filepath.Join(library, "*"), filepath.Join(folder, "Jobs.java")}
}

// typescript compiles its examples and returns what runs one. NATS' client and the compiler
// are in $FROSTFLEET_NODE/typescript, or where the example says.
func typescript(t *testing.T, name string) []string {
	t.Helper()
	folder := filepath.Join(root, "docs/examples/typescript")
	library := filepath.Join(folder, "node_modules")
	if named := os.Getenv("FROSTFLEET_NODE"); named != "" {
		library = filepath.Join(named, "typescript/node_modules")
	}
	compiler, err := filepath.Abs(filepath.Join(library, "typescript/bin/tsc"))
	if err == nil {
		_, err = os.Stat(compiler)
	}
	if err != nil {
		t.Fatalf("can't run the TypeScript example: %v\ninstall: npm ci --prefix docs/examples/typescript "+
			"(or name the folder that has typescript/node_modules in FROSTFLEET_NODE)", err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(compiler, "../../.."), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"jobs.ts", "http.ts", "tsconfig.json", "package.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), must(t, filepath.Join(folder, name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	succeed(t, "node", compiler, "--project", dir)
	return []string{"node", filepath.Join(dir, name)}
}

func TestExamples(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{N: 3, T: 2})
	access, err := config.LoadAccess(filepath.Join(f.Dir, "access.toml"))
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys.jsonl")
	args := []string{f.URL, filepath.Join(f.Dir, "manifest.json"), fleettest.Client, filepath.Join(f.Dir, "client.key"),
		access.Gateways[0].Name, access.Gateways[0].PublicKey.String(), keys}
	t.Run("go", func(t *testing.T) { checkExample(t, succeed(t, build(t, "docs/examples/go"), args...)) })
	t.Run("python", func(t *testing.T) {
		checkExample(t, succeed(t, python(t), append([]string{filepath.Join(root, "docs/examples/python/jobs.py")}, args...)...))
	})
	t.Run("java", func(t *testing.T) { checkExample(t, succeed(t, "java", append(java(t), args...)...)) })
	t.Run("typescript", func(t *testing.T) {
		command := typescript(t, "jobs.js")
		checkExample(t, succeed(t, command[0], append(command[1:], args...)...))
	})
	t.Run("saved keys", func(t *testing.T) {
		out := succeed(t, build(t, "cmd/frostctl"), "verify", "--keys", keys, "--manifest", filepath.Join(f.Dir, "manifest.json"), "--json")
		if !strings.Contains(out, `"keys":4,"jobs":4`) {
			t.Errorf("frostctl verify says %s", out)
		}
	})
}

// checkExample reads the line that each example prints.
func checkExample(t *testing.T, line string) {
	t.Helper()
	var out struct{ Key, Address, Signature string }
	if err := json.Unmarshal([]byte(line), &out); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	if len(out.Key) < 34 || len(out.Address) < 32 || len(out.Signature) != 128 {
		t.Errorf("printed %s", line)
	}
}

// TestFrostctl walks through what a user does.
func TestFrostctl(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{N: 3, T: 2})
	frostctl := build(t, "cmd/frostctl")
	t.Setenv("FROSTCTL_CONFIG", f.ClientFile())
	keys := filepath.Join(t.TempDir(), "keys.jsonl")
	message := strings.Repeat("5f", 32)

	out := succeed(t, frostctl, "keygen", "--chain", "bitcoin", "--count", "2")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 2 || !strings.Contains(lines[1], "\tbcrt1p") {
		t.Errorf("keygen prints %q", out)
	}
	if out := succeed(t, frostctl, "keygen", "--chain", "bitcoin", "--count", "12", "--out", keys); strings.Count(out, "\tbcrt1p") != 10 {
		t.Errorf("keygen --out prints %q, and not the first ten", out)
	}
	succeed(t, frostctl, "verify", "--keys", keys)
	key := firstKey(t, keys)

	line := succeed(t, frostctl, "sign", "--keys", keys, "--key", key.ID, "--message", message, "--json")
	var signed struct{ Key, Suite, Signature string }
	if err := json.Unmarshal([]byte(line), &signed); err != nil {
		t.Fatal(err)
	}
	verify := []string{
		"verify",
		"--chain",
		"bitcoin",
		"--internal-key",
		key.PublicKey,
		"--signature",
		signed.Signature,
		"--message",
	}
	succeed(t, frostctl, append(verify, message)...)

	items := `{"key":"` + key.ID + `","message":"` + message + `"}` + "\n\n" +
		`{"key":"` + key.ID + `","message":"` + message + `","script_root":"` + message + `"}` + "\n"
	if out, code, stderr := output(t, items, frostctl, "sign", "--keys", keys, "--file", "-"); code != 0 || strings.Count(out, key.ID+"\t") != 2 {
		t.Errorf("sign --file: exit code %d, %q\n%s", code, out, stderr)
	}
	failures := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"unknown key", []string{"sign", "--key", strings.Repeat("0", 32) + ".0", "--message", message}, 3, "unknown_key"},
		{
			"key that the file lacks",
			[]string{"sign", "--keys", keys, "--key", strings.Repeat("0", 32) + ".0", "--message", message}, 1, "is not in",
		},
		{"another message", append(verify, strings.Repeat("00", 32)), 4, "does not verify"},
		{"no answer in time", []string{"keygen", "--chain", "bitcoin", "--timeout", "1ns"}, 6, "no answer in time"},
		{"no such file", []string{"keygen", "--chain", "bitcoin", "--config", "missing.toml"}, 1, "missing.toml"},
		{"unknown job", []string{"jobs", "0198c0de-0000-7000-8000-000000000000"}, 1, "no stored result"},
	}
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			stdout, code, stderr := output(t, "", frostctl, tt.args...)
			if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit code %d, want %d; printed %q and said %q, want %q", code, tt.code, stdout, stderr, tt.says)
			}
		})
	}
	list := succeed(t, frostctl, "jobs")
	if strings.Count(list, " keygen ") != 2 || strings.Count(list, "unknown_key") != 1 ||
		strings.Contains(list, "unverified") {
		t.Errorf("jobs prints\n%s", list)
	}
}

type savedKey struct {
	ID        string `json:"id"`
	PublicKey string `json:"public_key"`
}

// firstKey reads a keys file as a script would.
func firstKey(t *testing.T, path string) savedKey {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var proof client.Proof
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&proof); err != nil {
		t.Fatal(err)
	}
	var result struct{ Keys []savedKey }
	if err := json.Unmarshal(proof.Result, &result); err != nil {
		t.Fatal(err)
	}
	return result.Keys[0]
}
