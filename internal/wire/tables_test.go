package wire

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// namesChains are the files of production code that name a chain, and why. A new
// chain has to look at each, so the list stays short.
var namesChains = map[string]string{
	"internal/tx/intent/intent.go": "kinds of requests, which are a chain's each",
	"internal/tx/tx.go":            "which reader is for which",

	"internal/wire/chain.go":    "the table",
	"internal/chain/chain.go":   "which file has the address",
	"internal/chain/bitcoin.go": "its address",
	"internal/chain/solana.go":  "its address",

	"client/spending.go": "has btcd judge a transaction",

	"internal/demo/demo.go":   "it generates on each and verifies with the chain's own libraries",
	"internal/demo/report.go": "what it prints of that",

	"internal/demo/transactions.go": "it has a transaction of each signed",

	"internal/reading/text.go":  "what kinds of requests are called",
	"internal/reading/money.go": "what a chain's own money is called",

	"cmd/frostctl/cmd_addresses.go": "its help text: which children",
	"cmd/frostctl/cmd_keys.go":      "its help text",
	"cmd/frostctl/root.go":          "an example in a help text",
	"cmd/frostctl/cmd_bench.go":     "examples in help texts",
	"cmd/frostctl/cmd_fleet.go":     "the example that it prints",
	"cmd/frostctl/cmd_keygen.go":    "examples in a help text",
	"cmd/frostctl/cmd_sign.go":      "its help text: what a message is for each",
	"cmd/frostctl/cmd_test_dkg.go":  "its help text",
	"cmd/frostctl/cmd_verify.go":    "verifies with each chain's own library",
	"cmd/frostctl/child.go":         "says of which chain a flag is",

	"cmd/frostctl/cmd_sign_request.go": "its help text: which request is of which chain",
	"cmd/frostctl/cmd_tx.go":           "a flag's help text",
	"cmd/frostctl/keys_find.go":        "how a request tells which keys it is for",
	"cmd/frostctl/reconstruct.go":      "its help text: what leaves for which chain",
	"cmd/frostctl/reconstruct_text.go": "of which chain a whole key is, and in what form",
	"cmd/frostctl/request_file.go":     "which chain's transaction a file is",

	"cmd/frostctl/reconstruct_solana.go": "signs with what no wallet of that chain takes",

	"client/request.go": "which kind of message a key's chain has",

	"internal/httpapi/jobs.go":        "the document's texts",
	"internal/httpapi/signatures.go":  "the document's texts",
	"internal/httpapi/messages.go":    "the document's texts",
	"cmd/frostctl/cmd_keys_list.go":   "which it lists",
	"internal/httpapi/solana.go":      "its transactions",
	"internal/httpapi/keys.go":        "which have descriptors, and the document",
	"internal/httpapi/keys_create.go": "the document",
	"internal/httpapi/addresses.go":   "which have descriptors, in the document",
}

// namesKinds are those that name a kind of job, and what a new kind needs there.
var namesKinds = map[string]string{
	"internal/wire/job.go":       "the table, and its checks",
	"internal/wire/certified.go": "what proves the result",
	"internal/wire/waiting.go":   "which may wait for approvals",
	"internal/wire/subject.go":   "whether its tasks are urgent",

	"internal/protocol/coordinator_jobs.go": "which machine of the gateway runs it",
	"internal/protocol/coordinator_step.go": "whether its tasks in WORK are remembered",
	"internal/protocol/node_task.go":        "which machine of the node runs it",
	"internal/protocol/expiry.go":           "how exact its end is",
	"internal/protocol/bad_entry.go":        "reports",
	"internal/protocol/dealer_pace.go":      "whose key generations wait for their time",
	"internal/protocol/revoke.go":           "which needs its client's right to the end",
	"internal/protocol/directory.go":        "reports",
	"internal/protocol/registrar.go":        "reports",
	"internal/protocol/reconcile.go":        "reports",
	"internal/protocol/reconcile_fetch.go":  "reports",
	"internal/protocol/dkg.go":              "reports",
	"internal/protocol/keygen.go":           "reports",
	"internal/protocol/signing.go":          "reports",
	"internal/protocol/mover.go":            "reports",
	"internal/protocol/mover_entry.go":      "reports",

	"internal/directory/answer.go": "which results have signatures to count",
	"internal/directory/job.go":    "whose keys are counted in KEYS",
	"internal/directory/follow.go": "which wait for approvals",

	"internal/gateway/gateway.go": "how many deliveries are handled at a time",
	"internal/telemetry/work.go":  "sizes of batches",

	"client/keygen.go": "asks for it",
	"client/proof.go":  "proves it",
	"client/saved.go":  "asks for it once more",
	"client/sign.go":   "asks for it",

	"client/pending.go":           "what it waits for",
	"client/sign_job.go":          "asks for it, with transactions",
	"internal/jobfile/jobfile.go": "which jobs a file is of",

	"cmd/frost-worker/saved_job.go":    "which jobs a policy is explained for",
	"cmd/frostctl/cmd_jobs_pending.go": "which wait for approvals",

	"cmd/frostctl/saved_jobs.go":      "which jobs a file keeps",
	"cmd/frostctl/keygen_run.go":      "the head of that file",
	"cmd/frostctl/cmd_jobs_result.go": "how its result is read",

	"cmd/frostctl/cmd_jobs_list.go":   "which it lists",
	"internal/recent/recent.go":       "the lists of a look",
	"internal/httpapi/keys_create.go": "asks for it",
	"internal/httpapi/carry.go":       "which scope it needs",
	"internal/httpapi/collect.go":     "what is collected",
	"internal/httpapi/signatures.go":  "asks for it",
	"internal/httpapi/psbt.go":        "asks for it, with a transaction",
	"internal/httpapi/solana.go":      "asks for it, with a transaction",
	"internal/httpapi/messages.go":    "asks for it, with a text",
}

// TestTables holds the lists to the code.
func TestTables(t *testing.T) {
	chains, kinds := map[string]bool{}, map[string]bool{}
	chainWord := regexp.MustCompile(`(?i)\b(` + strings.Join(ChainNames(), "|") + `)\b`)
	kindName := regexp.MustCompile(`^Kind(Keygen|Sign)$`)
	for path, file := range production(t, "../..") {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				chains[path] = chains[path] || n.Kind == gotoken.STRING && chainWord.MatchString(n.Value)
			case *ast.Ident:
				chains[path] = chains[path] || n.Name == "Bitcoin" || n.Name == "Solana"
				kinds[path] = kinds[path] || kindName.MatchString(n.Name)
			}
			return true
		})
	}
	same(t, "a chain", chains, namesChains)
	same(t, "a kind", kinds, namesKinds)
}

func same(t *testing.T, what string, found map[string]bool, listed map[string]string) {
	t.Helper()
	for path, named := range found {
		if named && listed[path] == "" {
			t.Errorf("%s names %s: read the table, or list the file here with its reason", path, what)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(listed)) {
		if !found[path] {
			t.Errorf("%s no longer names %s: take it off the list", path, what)
		}
	}
}

// readers are packages that read transactions, or judge them: a chain has its own of each.
var readers = []string{"tx/bitcoin", "tx/solana", "internal/policy"}

// production parses the Go files that are no tests, nor support for tests.
func production(t *testing.T, root string) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, dir := range []string{"client", "cmd", "internal", "nats"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && slices.Contains(readers, filepath.Base(filepath.Dir(path))+"/"+d.Name()) {
				return filepath.SkipDir
			}
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				strings.HasSuffix(filepath.Base(filepath.Dir(path)), "test") {
				return err
			}
			file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, 0)
			name, _ := filepath.Rel(root, path)
			files[filepath.ToSlash(name)] = file
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 200 {
		t.Fatalf("%d files: the search is broken", len(files))
	}
	return files
}
