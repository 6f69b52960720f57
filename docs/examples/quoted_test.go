// Package examples_test holds docs/jobs.md to the examples that it quotes and
// to the codes of the protocol.
package examples_test

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

var update = flag.Bool("update", false, "quote the examples in docs/jobs.md anew")

const page = "../jobs.md"

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestQuoted: the last go and python blocks of the page are the files, byte for
// byte. With -update they are made so.
func TestQuoted(t *testing.T) {
	text := read(t, page)
	for language, file := range map[string]string{"go": "go/main.go", "python": "python/jobs.py"} {
		open := "```" + language + "\n"
		at := strings.LastIndex(text, open)
		if at < 0 {
			t.Fatalf("%s quotes no %s", page, language)
		}
		start := at + len(open)
		end := start + strings.Index(text[start:], "\n```\n") + 1
		want := read(t, file)
		if text[start:end] == want {
			continue
		}
		if !*update {
			t.Errorf("%s does not quote %s as it is: go test ./docs/examples -update", page, file)
		}
		text = text[:start] + want + text[end:]
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var tableCode = regexp.MustCompile("(?m)^\\| (`[a-z_`, ]+`) \\|")

// TestCodes: the tables explain every code of a job, each once, and no other.
func TestCodes(t *testing.T) {
	_, section, ok := strings.Cut(read(t, page), "\n## Codes\n")
	if !ok {
		t.Fatal("no section Codes")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var have []string
	for _, m := range tableCode.FindAllStringSubmatch(section, -1) {
		for _, code := range strings.Split(m[1], ", ") {
			have = append(have, strings.Trim(code, "`"))
		}
	}
	want := []string{"deal_point", "deal_proof", "deal_share", "deal_identity", // internal/frost
		string(wire.CodeRestarted), string(wire.CodeDealReplaced), string(wire.CodeDealMalformed), string(wire.CodeOtherTranscript)}
	for _, code := range wire.JobCodes {
		want = append(want, string(code))
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("the tables have\n%q\nthe protocol has\n%q", have, want)
	}
}
