package interop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the module's folder.
const root = "../.."

// nodePrograms is a folder of the programs for Node, beside what they import: that is
// in $FROSTFLEET_NODE/interop, or here.
func nodePrograms(t *testing.T) string {
	t.Helper()
	library := must(filepath.Abs("node_modules"))
	if named := os.Getenv("FROSTFLEET_NODE"); named != "" {
		library = filepath.Join(named, "interop/node_modules")
	}
	if _, err := os.Stat(filepath.Join(library, "bitcoinjs-lib/package.json")); err != nil {
		t.Fatalf("no libraries for Node: %v\ninstall: npm ci --prefix test/interop (or name the folder that has "+
			"interop/node_modules in FROSTFLEET_NODE)", err)
	}
	dir := t.TempDir()
	if err := os.Symlink(library, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	files := must(filepath.Glob("*.mjs"))
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(dir, name), must(os.ReadFile(name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// python is an interpreter that has the libraries: $FROSTFLEET_PYTHON, or python3.
func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("FROSTFLEET_PYTHON")
	if name == "" {
		name = "python3"
	}
	text, err := exec.CommandContext(t.Context(), name, "-c", "import bdkpython, bip322, embit, solders").CombinedOutput()
	if err != nil {
		t.Fatalf("%s lacks libraries: %v\n%s\ninstall: %s -m pip install -r test/interop/requirements.txt "+
			"(or name another interpreter in FROSTFLEET_PYTHON)", name, err, text, name)
	}
	return name
}

// build compiles a program.
func build(t *testing.T, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, "./cmd/"+name)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, text)
	}
	return out
}

// startEngine runs Bitcoin Core's script verification, which the folder consensus has.
func startEngine(t *testing.T) *program {
	t.Helper()
	return startRust(t, "consensus", "test/interop/consensus", "FROSTFLEET_CONSENSUS")
}

// startZF runs a signer of ZF frost.
func startZF(t *testing.T) *program {
	t.Helper()
	return startRust(t, "zf", "bench/baseline-zf", "FROSTFLEET_ZF", "signer")
}

// startRust runs the program of a crate, which a variable names, or which was built in its
// folder.
func startRust(t *testing.T, name, crate, variable string, args ...string) *program {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = filepath.Join(root, crate, "target/release", name)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no program %s: %v\nbuild, with cargo 1.81 or later: cargo build --release --locked --manifest-path "+
			"%s/Cargo.toml (or name the program in %s)", name, err, crate, variable)
	}
	p := &program{name: name}
	p.run(t, append([]string{path}, args...))
	return p
}
