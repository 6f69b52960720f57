package policy

import (
	"fmt"
	"go/ast"
	goparser "go/parser"
	gotoken "go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestPage holds docs/policy.md against the code: codes, keys and figures.
func TestPage(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	codes := 0
	parse := func(name string) *ast.File {
		f, err := goparser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ast.Inspect(parse("decision.go"), func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Code") {
			code, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			codes++
			if !strings.Contains(page, "| `"+code+"` |") {
				t.Errorf("no row of the code %s", code)
			}
		}
		return true
	})
	keys := 0
	ast.Inspect(parse("parse.go"), func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok && f.Tag != nil {
			key := regexp.MustCompile(`toml:"(\w+)"`).FindStringSubmatch(f.Tag.Value)[1]
			keys++
			if !strings.Contains(page, "`"+key+"`") && !strings.Contains(page, key+" = ") && !strings.Contains(page,
				"["+key+"]") &&
				!strings.Contains(page, "rule."+key) {
				t.Errorf("no word of the key %s", key)
			}
		}
		return true
	})
	if codes < 14 || keys < 20 {
		t.Errorf("%d codes, %d keys: the search is broken", codes, keys)
	}
	for what, n := range map[string]string{
		"counters": thousands(maxCounters) + " counters", "jobs": thousands(maxJobs) + " jobs",
		"indexes": thousands(maxSeen) + " keys", "block": fmt.Sprintf("a %dth of each limit", blocks),
		"half":  fmt.Sprintf("at a %dnd", 2*blocks),
		"parts": fmt.Sprintf("%d steps", parts), "gap": fmt.Sprintf("spent from change may be; %d |", defaultGap),
		"range": fmt.Sprintf("stands for; %d |", defaultRange),
	} {
		if !strings.Contains(page, n) {
			t.Errorf("%s: the page does not say %q", what, n)
		}
	}
}

func thousands(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }

// TestTable: the factors of docs/policy.md are (n-f)/(t-f), rounded up.
func TestTable(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) of (\d+) \| (.*) \|$`).FindAllStringSubmatch(string(b), -1)
	if len(rows) < 5 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		k, _ := strconv.Atoi(row[1])
		n, _ := strconv.Atoi(row[2])
		for i, cell := range strings.Split(row[3], " | ") {
			f := i
			if i == 4 {
				f = k - 1
			}
			want := "all"
			if f < k {
				hundredths := (100*(n-f) + k - f - 1) / (k - f)
				want = strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100), "0"), ".")
			}
			if cell != want {
				t.Errorf("%d of %d, f = %d: %s, want %s", k, n, f, cell, want)
			}
		}
	}
}

// TestExample: the example of configs is a policy.
func TestExample(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../configs/policy.toml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(b, "mainnet")
	if err != nil {
		t.Fatal(err)
	}
	d := p.Describe()
	text := strings.Join(d.Lines(), "\n")
	for _, want := range []string{"1. treasury", "2. payroll", "2 BTC a day for each client", "2 of anna, ben, carl"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}
