package main

import (
	"os"
	"strings"
	"testing"
)

// TestCompletion: shells get ids of keys from the file that is named, names of chains and of
// states, and nothing from a file that is no keys file.
func TestCompletion(t *testing.T) {
	t.Chdir(t.TempDir())
	a, b := strings.Repeat("a", 32)+".0", strings.Repeat("b", 32)+".12"
	line := `{"client":"c","job":"{}","result":{"keys":[{"id":"` + a + `"},{"id":"` + b + `"}]}}` + "\n"
	for name, text := range map[string]string{"keys.jsonl": line, "other.jsonl": strings.ReplaceAll(line, a, b),
		"huge": "x"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate("huge", 1<<40); err != nil { // sparse
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"keys descriptor --key |":              a + "\n" + b + "\n",
		"sign --key |bbbb":                     b + "\n",
		"addresses --keys other.jsonl --key |": b + "\n" + b + "\n",
		"addresses --keys none --key |":        "",
		"addresses --keys huge --key |":        "",
		"addresses --keys - --key |":           "",
		"keys show |aa":                        a + "\n",
		"keygen --chain |":                     "bitcoin\nsolana\n",
		"jobs list --status |":                 strings.Join(jobStatuses, "\n") + "\n",
		"keys export --format |":               "ndjson\ncsv\n",
		"fleet |st":                            "status\tShow nodes and gateways, what waits, what moves and what is frozen\n",
	} {
		words, last, _ := strings.Cut(args, "|")
		stdout, _, _ := call(t, "", append(append([]string{"__complete"}, strings.Fields(words)...), last)...)
		got, _, found := strings.Cut(stdout, ":")
		if !found || got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if stdout, stderr, code := call(t, "", "completion", shell); code != 0 || !strings.Contains(stdout, "frostctl") {
			t.Errorf("%s: exit code %d, %s", shell, code, stderr)
		}
	}
}
