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

// startEngine runs Bitcoin Core's script verification: the program of the folder
// consensus, which is named in FROSTFLEET_CONSENSUS, or built here.
func startEngine(t *testing.T) *program {
	t.Helper()
	name := os.Getenv("FROSTFLEET_CONSENSUS")
	if name == "" {
		name = "consensus/target/release/consensus"
	}
	if _, err := os.Stat(name); err != nil {
		t.Fatalf("no bitcoinconsensus: %v\nbuild: cargo build --release --locked --manifest-path "+
			"test/interop/consensus/Cargo.toml (or name the program in FROSTFLEET_CONSENSUS)", err)
	}
	p := &program{name: "consensus"}
	p.run(t, []string{name})
	return p
}
