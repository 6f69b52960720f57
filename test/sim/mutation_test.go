package sim

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// edit replaces text in one source file of the repository. The text must be
// there exactly once, so a mutation can't outlive the code it mutates.
type edit struct{ file, old, new string }

// mutation is a broken build, and the rule that the simulator must name.
type mutation struct {
	name    string
	rule    Rule
	profile Profile
	seeds   int
	edits   []edit
	moves   bool // in fleets that change
}

const (
	noncesFile  = "internal/frost/sign_nonces.go"
	sessionFile = "internal/protocol/signing.go"
	signingFile = "internal/protocol/signing_nonces.go"
	commitsFile = "internal/protocol/signing_commits.go"
	dealFile    = "internal/protocol/dkg_deal.go"
	dealerFile  = "internal/protocol/dealer.go"
	boardFile   = "internal/board/batch.go"
	checkFile   = "internal/protocol/reshare_check.go"
	openFile    = "internal/frost/reshare_open.go"

	registrarFile = "internal/protocol/registrar.go"
)

var mutations = []mutation{
	{
		name: "a node signs what its policy denies", rule: RulePolicy, profile: Benign, seeds: 30,
		edits: []edit{{"internal/protocol/signing_items.go", "if denial != nil {", "if denial != nil && s.node.cfg.Manifest == nil {"}},
	},
	{
		name: "KEYS is never compared with what nodes hold", rule: RuleSigns, profile: Losses, seeds: 30,
		edits: []edit{{"internal/protocol/reconcile.go", "if !r.keys.read() {\n\t\treturn", "if r.now == now {\n\t\treturn"}},
	},
	{
		name: "nonces kept after use", rule: RuleN3OneShare, profile: Broker, seeds: 800,
		edits: []edit{
			{noncesFile, "h := n.held.Swap(nil)\n\tif h == nil {\n\t\treturn nil, ErrNoncesUsed\n\t}\n\tdefer h.batch.wipe()",
				"h := n.held.Load()\n\tif h == nil {\n\t\treturn nil, ErrNoncesUsed\n\t}"},
			{"internal/frost/bip445/session.go",
				"pair := nonce.pair.Swap(nil)\n\tif pair == nil {\n\t\treturn nil, ErrNonceUsed\n\t}\n\tdefer pair.wipe()",
				"pair := nonce.pair.Load()\n\tif pair == nil {\n\t\treturn nil, ErrNonceUsed\n\t}"},
			{signingFile, "\ts.nonces, s.items = nil, nil\n", ""},
			{signingFile, "defer wipeItems(items)", "_ = items"},
			// The session opens again once its shares are out.
			{
				signingFile,
				"\ts.to(signDone)\n\ts.release()\n",
				"\ts.to(signDone)\n\ts.reopen()\n",
			},
			{sessionFile, "// release wipes", "func (s *signing) reopen() {\n\tfor _, a := range s.commits.arrivals {\n" +
				"\t\tif a.Index == s.node.cfg.Index {\n\t\t\ts.commits.arrivals = []arrival{a}\n\t\t\tbreak\n\t\t}\n\t}\n" +
				"\ts.phase, s.set = signCommitted, nil\n}\n\n// release wipes"},
		},
	},
	{
		name: "nonces derived from the session", rule: RuleN1Fresh, profile: Broker, seeds: 60,
		edits: []edit{
			{
				signingFile,
				"items, rand, publish := s.items, s.node.cfg.Rand, s.publishCommit()",
				"items, publish := s.items, s.publishCommit()\n" +
					"\trand := rand.NewChaCha8(s.request.session)",
			},
			{signingFile, "import (\n", "import (\n\t\"math/rand/v2\"\n"},
		},
	},
	{
		name: "a stranger's commitment taken for the own", rule: RuleN4SitOut, profile: Broker, seeds: 100,
		edits: []edit{
			{
				commitsFile,
				"if slot.Node == s.node.cfg.Index && !s.ownCommit(pos) {",
				"if slot.Node == s.node.cfg.Index && s.nonces != nil {\n" +
					"\t\ts.commits.arrivals[pos].Points = s.points\n\t}\n\tif slot.Node == s.node.cfg.Index && s.nonces == nil {",
			},
		},
	},
	{
		name: "a second certificate for one batch", rule: RuleCertifyOnce, profile: Restarts, seeds: 60,
		edits: []edit{
			{
				dealerFile,
				"cert := wire.Certificate{Context: e.Context, Transcript: e.Transcript, Root: e.Root}",
				"cert := wire.Certificate{Context: e.Context, Transcript: frost.Hash(\"mutation\", e.Transcript[:]), Root: e.Root}",
			},
			{dealerFile, "import (\n", "import (\n\t\"github.com/frostfleet/frostfleet/internal/frost\"\n"},
		},
	},
	{
		name: "the own deal not compared", rule: RuleOwnDeal, profile: Broker, seeds: 60,
		edits: []edit{{dealFile, "if ownDeal(raw[cfg.Index]) != own {", "if false {"}},
	},
	{
		name: "a secret in a message", rule: RuleSecret, profile: Benign, seeds: 5,
		edits: []edit{
			{dealFile, "body := wire.EncodeDeal(*b.header, deal)",
				"deal.Proofs = append(deal.Proofs, cfg.Host.Expose()...)\n\tbody := wire.EncodeDeal(*b.header, deal)"},
		},
	},
	{
		name: "certified by n-1 nodes", rule: RuleCertificates, profile: Benign, seeds: 20,
		edits: []edit{
			{
				boardFile,
				"if v == nil || first != nil && !v.certificate.Agrees(first) {",
				"if v == nil && node > 0 {\n\t\t\tcontinue\n\t\t}\n\t\tif v == nil || first != nil && !v.certificate.Agrees(first) {",
			},
			{registrarFile, "if len(roots) == m.N && len(a.liars) == 0 {", "if len(a.liars) == 0 {"},
			{
				"internal/wire/entry.go",
				"for i, raw := range e.Certificates {\n",
				"for i, raw := range e.Certificates {\n\t\tif len(raw) == 0 {\n\t\t\tcontinue\n\t\t}\n",
			},
		},
	},
	{
		name: "dealing without the operator's approval", rule: RuleApproved, profile: Benign, seeds: 40, moves: true,
		edits: []edit{
			{checkFile, "case n.cfg.Successor == [32]byte{}:", "case false:"},
			{checkFile, "case n.cfg.Successor != r.Manifest:", "case false:"},
		},
	},
	{
		name: "any approvals make a successor", rule: RuleApproved, profile: Benign, seeds: 60, moves: true,
		edits: []edit{
			{"internal/wire/succession.go", "if !m.Enough(s.Approvals) {", "if len(s.Approvals) > m.N {"},
			{"internal/wire/succession.go", "s.Approvals[i-1].Node >= a.Node {", "s.Approvals[i-1].Node > a.Node {"},
			{"internal/wire/succession.go", "if err := a.Verify(m, next.Hash()); err != nil {", "if err := a.Verify(m, next.Hash()); err != nil && a.Next != next.Hash() {"},
		},
	},
	{
		name: "dealing in a fleet that has forked", rule: RuleApproved, profile: Benign, seeds: 150, moves: true,
		edits: []edit{
			{checkFile, "case l.Fork() != nil:\n\t\treturn nil, nil, l.Fork()\n", ""},
			{"internal/protocol/plan.go", "if p.pace == nil || p.views.lineage.Fork() != nil {", "if p.pace == nil {"},
			{"internal/protocol/plan.go", "\tcase p.views.lineage.Fork() != nil:\n\t\treturn p.views.lineage.Fork().Error()\n", ""},
		},
	},
	{
		name: "shares that do not fit their commitments accepted", rule: RuleInterpolate, profile: Benign, seeds: 80, moves: true,
		edits: []edit{
			{openFile, "if !r.allHold(r.shareEquations(w, shares, keys, r.values(index, r.sums)), 0, r.K) {",
				"if holds := r.allHold(r.shareEquations(w, shares, keys, r.values(index, r.sums)), 0, r.K); !holds && r.K < 1 {"},
		},
	},
	{
		name: "lambda forgotten", rule: RuleInterpolate, profile: Benign, seeds: 20, moves: true,
		edits: []edit{
			{"internal/frost/reshare_deal.go", "\t\tg.mul(constant, constant, lambda)\n", "\t\t_ = lambda\n"},
			{openFile, "if !r.allHold(r.shareEquations(w, shares, keys, r.values(index, r.sums)), 0, r.K) {",
				"if holds := r.allHold(r.shareEquations(w, shares, keys, r.values(index, r.sums)), 0, r.K); !holds && r.K < 1 {"},
		},
	},
	{
		name: "signing with what has moved", rule: RuleMoved, profile: Benign, seeds: 200, moves: true,
		edits: []edit{
			{"internal/protocol/signing_items.go", "moved, branches := s.request, n.movedKeys(s.request.keys), n.branches",
				"moved, branches := s.request, make([]bool, len(s.request.keys)), n.branches"},
		},
	},
	{
		name: "another transcript certified of an attempt", rule: RuleCertifyOnce, profile: Benign, seeds: 40, moves: true,
		edits: []edit{
			{"internal/protocol/reshare_finish.go", "Context: e.Context, Generation: e.Batch.Generation, Transcript: e.Transcript, Root: e.Root,",
				"Context: e.Context, Generation: e.Batch.Generation, Transcript: frost.Hash(\"mutation\", e.Transcript[:]), Root: e.Root,"},
			{"internal/protocol/reshare_finish.go", "import (\n", "import (\n\t\"github.com/frostfleet/frostfleet/internal/frost\"\n"},
		},
	},
	{
		name: "an entry of other keys accepted", rule: RuleContinues, profile: Benign, seeds: 60, moves: true,
		edits: []edit{
			{"internal/protocol/generations.go", "MadeBy != e.MadeBy", "Complete && false"},
		},
	},
	{
		name: "announced before the register has it", rule: RuleRegistered, profile: Benign, seeds: 20,
		edits: []edit{
			{
				"internal/protocol/coordinator_step.go",
				"c.keygen.onFalseRoot(e.batch.ID, node)\n\t\t}",
				"c.keygen.onFalseRoot(e.batch.ID, node)\n\t\t}\n\t\tif e.write.Head != nil {\n" +
					"\t\t\tc.onFinished(c.directory.add(e.batch))\n\t\t}",
			},
		},
	},
}

// TestMutations builds the simulator against broken sources and requires that
// it finds each of them. Nothing in the repository is changed: the mutated
// copies come in by an overlay.
func TestMutations(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			out := m.run(t, root)
			if !strings.Contains(out, string(m.rule)) {
				t.Errorf("%d seeds of profile %s do not break the rule %q:\n%s", m.seeds, m.profile, m.rule, tailOf(out))
			}
		})
	}
}

// run runs TestSeeds with the mutation in a process of its own, and returns
// what it prints.
func (m mutation) run(t *testing.T, root string) string {
	dir := t.TempDir()
	replace := map[string]string{}
	for i, e := range m.edits {
		path := filepath.Join(root, e.file)
		from := path
		if mutated, ok := replace[path]; ok {
			from = mutated
		}
		source, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), e.old); n != 1 {
			t.Fatalf("%s: the text to mutate is there %d times, want once; adapt the mutation:\n%s", e.file, n, e.old)
		}
		replace[path] = filepath.Join(dir, strconv.Itoa(i)+"-"+filepath.Base(e.file))
		write(t, replace[path], strings.Replace(string(source), e.old, e.new, 1))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "overlay.json"), string(overlay))
	cmd := exec.CommandContext(
		t.Context(),
		"go",
		"test",
		"-count=1",
		"-overlay",
		filepath.Join(dir, "overlay.json"),
		"-run",
		"^TestSeeds$",
		"./test/sim",
		"-seeds",
		strconv.Itoa(m.seeds),
		"-profile",
		string(m.profile),
		"-until",
		string(m.rule),
		"-changing="+strconv.FormatBool(m.moves),
	)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the mutated build passes")
	}
	return string(out)
}

func write(t *testing.T, path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tailOf is the end of a long output.
func tailOf(out string) string { return out[max(0, len(out)-3000):] }
