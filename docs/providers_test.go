package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/awskms"
	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
	"github.com/frostfleet/frostfleet/internal/launch"
)

// providerGuides are the pages about key providers, with the type that each
// is about.
var providerGuides = map[string]string{"aws-kms.md": awskms.Type, "hsm.md": "pkcs11"}

// between gives what stands between two marks of a page.
func between(t *testing.T, text, mark string) string {
	t.Helper()
	_, text, found := strings.Cut(text, "<!-- "+mark+" -->")
	text, _, ended := strings.Cut(text, "<!-- /"+mark+" -->")
	if !found || !ended {
		t.Fatalf("nothing stands between <!-- %s --> and <!-- /%s -->", mark, mark)
	}
	return text
}

// rows gives the cells of the rows of all tables in text, without heads.
func rows(text string) (all [][]string) {
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if strings.HasPrefix(cells[0], "---") {
			all = all[:len(all)-1] // the head stands above
			continue
		}
		all = append(all, cells)
	}
	return all
}

var code = regexp.MustCompile("`([^`]+)`")

// blocks gives the fenced blocks of one language.
func blocks(text, language string) (all []string) {
	for _, b := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		all = append(all, b[1])
	}
	return all
}

// TestProviderMessages: what the guides say of an error is said of one that
// the program has. "..." stands for what differs.
func TestProviderMessages(t *testing.T) {
	var literals []string
	for _, s := range sources(t, "internal/keyprovider", "internal/launch", "internal/pin", "internal/config", "internal/secret") {
		if s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if text, ok := joined(n); ok {
				literals = append(literals, text)
			}
			return true
		})
	}
	for guide := range providerGuides {
		messages := rows(between(t, page(t, guide), "messages"))
		if len(messages) < 20 {
			t.Errorf("%s has %d messages: the search is broken", guide, len(messages))
		}
		for _, row := range messages {
			quoted := code.FindStringSubmatch(row[0])
			if quoted == nil {
				t.Errorf("%s: no message in %q", guide, row[0])
				continue
			}
			if len(row) != 3 {
				t.Errorf("%s: the row of %q has %d cells, not 3", guide, quoted[1], len(row))
			}
			if !slices.ContainsFunc(literals, func(text string) bool { return says(text, quoted[1]) }) {
				t.Errorf("%s explains the message %q, which the program does not have", guide, quoted[1])
			}
		}
	}
}

// joined is the value of string literals with + between them, without what
// is none.
func joined(n ast.Node) (string, bool) {
	sum, ok := n.(*ast.BinaryExpr)
	if !ok || sum.Op != token.ADD {
		return unquoted(n)
	}
	left, _ := joined(sum.X)
	right, _ := joined(sum.Y)
	return left + right, true
}

// says tells whether a format has all parts of a message, in order.
func says(format, message string) bool {
	for part := range strings.SplitSeq(message, "...") {
		_, rest, found := strings.Cut(format, strings.TrimSpace(part))
		if !found {
			return false
		}
		format = rest
	}
	return true
}

func TestProviderKeysAreDocumented(t *testing.T) {
	known := map[string][]string{}
	for _, b := range backends.All() {
		known[b.Type] = config.Keys(b.Section())
	}
	for guide, kind := range providerGuides {
		documented := map[string]bool{}
		for _, row := range rows(page(t, guide)) {
			for _, name := range code.FindAllStringSubmatch(row[0], -1) {
				documented[name[1]] = true
			}
		}
		if len(known[kind]) < 8 {
			t.Errorf("type %s has %d keys: the search is broken", kind, len(known[kind]))
		}
		for _, key := range append(known[kind], "type") {
			if !documented[key] {
				t.Errorf("%s has no row of the key %s", guide, key)
			}
		}
	}
}

// node is a configuration without the key provider's section.
const node = "[network]\ntype = \"regtest\"\n[server]\nrole = \"node\"\n[node]\nindex = 0\nstorage_path = \"/s\"\nmax_signers = 3\nmin_signers = 2\n"

// TestProviderConfigurationsLoad: every piece of TOML in the guides loads, by
// itself or with what it leaves out.
func TestProviderConfigurationsLoad(t *testing.T) {
	for guide, kind := range providerGuides {
		pieces := blocks(page(t, guide), "toml")
		if len(pieces) < 2 {
			t.Errorf("%s has %d pieces of TOML: the search is broken", guide, len(pieces))
		}
		for _, piece := range pieces {
			text := piece
			if !strings.Contains(piece, "[node.key_provider]\n") {
				text = "[node.key_provider]\ntype = \"aws-kms\"\nkey_id = \"alias/a\"\n" + text
			}
			if !strings.Contains(piece, "[network]") {
				text = node + text
			}
			n, err := launch.ParseNode(write(t, text))
			if err != nil {
				t.Errorf("%s: %v\n%s", guide, err, piece)
			} else if n.Node.KeyProvider.Type != kind {
				t.Errorf("%s: a piece of TOML is of type %s\n%s", guide, n.Node.KeyProvider.Type, piece)
			}
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPolicies: the policies of the guide are JSON, let the node do what it
// needs and nobody else decrypt.
func TestPolicies(t *testing.T) {
	type list = any // a string or several
	var policies []struct {
		Version   string
		Statement []struct {
			Sid, Effect string
			Principal   map[string]string
			Action      list
			Resource    string
			Condition   map[string]map[string]string
		}
	}
	text := "[" + strings.Join(blocks(page(t, "aws-kms.md"), "json"), ",") + "]"
	if err := json.Unmarshal([]byte(text), &policies); err != nil {
		t.Fatal(err)
	}
	if len(policies) != 2 {
		t.Fatalf("there are %d policies, not the role's and the derivation key's", len(policies))
	}
	granted := map[string]bool{}
	for _, policy := range policies {
		for _, s := range policy.Statement {
			actions := fmt.Sprint(s.Action)
			if s.Effect != "Allow" || strings.Contains(actions, "kms:*") || strings.Contains(actions, "CreateGrant") {
				t.Errorf("statement %s: %s %s", s.Sid, s.Effect, actions)
			}
			if who := s.Principal["AWS"]; strings.Contains(actions, "GenerateMac") && who != "" && !strings.HasSuffix(who, ":role/frost-node-0") {
				t.Errorf("statement %s lets %s decrypt the shares", s.Sid, who)
			}
			for _, action := range regexp.MustCompile(`kms:\w+`).FindAllString(actions, -1) {
				granted[action] = true
			}
		}
	}
	for _, action := range []string{"kms:DescribeKey", "kms:Sign", "kms:GetPublicKey", "kms:GenerateMac"} {
		if !granted[action] {
			t.Errorf("no policy grants %s", action)
		}
	}
}

// TestCost computes the table from the default prices.
func TestCost(t *testing.T) {
	n, err := launch.LoadNode(write(t, node+"[node.key_provider]\ntype = \"aws-kms\"\nkey_id = \"alias/a\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	const hours, nodes, share = 730, 3, 2.0 / 3
	const users, transactions = 10_000, 10_000 * hours / 24.0
	prices, sessions, looks := n.Node.KeyProvider.Section.Charges(), 12.0*hours, 120.0*hours
	want := [][2]float64{ // signatures, keys
		{sessions, 2},
		{sessions + 1e6/1000, 2},
		{sessions + 1e6/1000*share, 2},
		{sessions + 1e6*share, 2},
		{sessions + users/1000 + transactions*share, 2},
		{sessions + users/1000 + transactions/1000*share, 2},
		{sessions, 4},
	}
	usd := func(amount float64) string { return strconv.FormatFloat(amount, 'f', 2, 64) }
	table := rows(between(t, page(t, "aws-kms.md"), "cost"))
	if len(table) != len(want) {
		t.Fatalf("the table has %d rows, not %d", len(table), len(want))
	}
	for i, row := range table {
		sign, keys := math.Round(want[i][0]), want[i][1]
		one := keys*prices.KeyMonth + sign*prices.Sign/1e4 + looks*prices.Describe/1e4
		shown := []string{thousands(int(sign)), usd(one), usd(nodes * one)}
		if !slices.Equal(row[1:], shown) {
			t.Errorf("%s: the table has %q, and it is %q", row[0], row[1:], shown)
		}
	}
	// The comparisons quote the table.
	for _, quoted := range []string{"$" + table[0][2] + " a month", "$" + table[4][2] + " with 10,000 users"} {
		if !strings.Contains(page(t, "aws-kms.md"), quoted) {
			t.Errorf("aws-kms.md does not say %q", quoted)
		}
	}
}

// TestComparisons: what an operator compares devices by is all there.
func TestComparisons(t *testing.T) {
	text := page(t, "aws-kms.md")
	for heading, want := range map[string][]string{
		"## KMS or an HSM": {"Best for", "Cost", "Control", "Backup", "Latency", "Setup", "Lock-in"},
		"## Comparison":    {"Cost", "Setup", "Security", "Backup", "Multi-DC", "Latency", "Scale"},
	} {
		_, section, _ := strings.Cut(text, "\n"+heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		compared := map[string]int{}
		for _, row := range rows(section) {
			compared[row[0]] = len(row)
		}
		for _, row := range want {
			if compared[row] < 3 {
				t.Errorf("aws-kms.md, %s: no row %s", heading, row)
			}
		}
	}
}

func TestProviderReasonsAreDocumented(t *testing.T) {
	text := page(t, "operations.md")
	for _, reason := range keyprovider.Reasons {
		if reason != keyprovider.OK && !strings.Contains(text, "`"+string(reason)+"`") {
			t.Errorf("operations.md does not have the reason %s", reason)
		}
	}
}

// TestMetricsAreDocumented: operations.md has every metric of the key
// provider, and no page has one that there is not.
func TestMetricsAreDocumented(t *testing.T) {
	metric := regexp.MustCompile(`frostfleet_[a-z_]*[a-z]`)
	exist := map[string]bool{}
	for _, s := range sources(t, "internal/telemetry", "internal/launch") {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if text, ok := unquoted(n); ok && !s.isTest() {
				exist[text], exist["frostfleet_"+text] = true, true // telemetry.Gauge puts the prefix there
			}
			return true
		})
	}
	operations, count := page(t, "operations.md"), 0
	for _, name := range slices.Sorted(maps.Keys(exist)) {
		if !strings.HasPrefix(name, "frostfleet_provider_") || name != metric.FindString(name) {
			continue
		}
		count++
		if !strings.Contains(operations, name) {
			t.Errorf("operations.md does not have the metric %s", name)
		}
	}
	if count < 8 {
		t.Errorf("found %d metrics: the search is broken", count)
	}
	for _, path := range pages(t) {
		for _, name := range metric.FindAllString(page(t, path), -1) {
			bare := regexp.MustCompile(`_(count|sum|bucket)$`).ReplaceAllString(name, "")
			if !exist[name] && !exist[bare] {
				t.Errorf("%s names the metric %s, which does not exist", path, name)
			}
		}
	}
}
