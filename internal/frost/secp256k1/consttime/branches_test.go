package consttime

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// These hold the code to what the argument for constant time needs, whatever the machine's speed:
// first the source, then what the compiler made of it. make consttime measures times.

// secretFiles are what secrets pass through, but for functions with Vartime in their name.
var secretFiles = []string{"lane.go", "tree.go", "../field/element.go", "../field/power.go", "../field/lanes.go"}

// assembly is what they pass through as well.
var assembly = []string{
	"entry_amd64.s", "pick_amd64.s", "../field/mul_amd64.s", "../field/lanes_amd64.s",
}

func TestSourceDoesNotBranch(t *testing.T) {
	t.Parallel()
	for _, name := range secretFiles {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found, functions := findBranches(t, name, string(src))
		for _, f := range found {
			t.Error(f)
		}
		if functions < 3 {
			t.Errorf("%s: only %d functions were looked at", name, functions)
		}
	}
}

// The test above must see what it is there for.
func TestBranchesAreFound(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"if e[0] == 0 { return }",
		"for e[0] > 0 { e[0]-- }",
		"switch e[0] {}",
		"_ = table[e[0]]",
		"for i := range e { _ = table[e[i]] }",
		"_ = e[0] / 3",
		"_ = e[0] % n",
		"_ = e[0] << e[1]",
		"_ = e[0] == 0 && e[1] == 0",
		"_ = *e == Element{}",
		"_ = min(e[0], 1)",
		"for range e[0] {}",
		"other(e)",
		"e.ReduceVartime()",
		"_ = table[:e[0]]",
		"defer e.Square(e)",
		"e[0] /= 3",
		"e[0] <<= e[1]",
	} {
		src := "package p\nvar table [64]uint64\nfunc (e *Element) f(n uint64) {\n" + body + "\n}"
		if found, _ := findBranches(t, "sample", src); len(found) == 0 {
			t.Errorf("%s: not found", body)
		}
	}
}

// Counters of loops over lanes, rows and limbs, and positions of digits, are public; so are
// lengths of slices.
var public = map[string]bool{"pos": true, "at": true, "digitBits": true, "entries": true, "len": true, "lanes": true,
	"wideBits": true, "wideDigits": true, "sums": true, "wideEntries": true, "half": true, "groups": true, "LaneCount": true, "field": true}

// allowed is what may be called beside methods that are looked at themselves.
var allowed = map[string]bool{
	"bits.Add64": true, "bits.Sub64": true, "bits.Mul64": true, "uint64": true, "int64": true, "len": true, "clear": true, "field.WipeRegisters": true,
	"low52": true, "uint8": true, "k.Bytes": true, "high52": true,
	"binary.BigEndian.Uint64": true, "binary.BigEndian.AppendUint64": true,
	"s.Bytes": true, "(*[32]byte)": true, // of secp256k1-voi, by fiat-crypto
}

// methods are those of the files above without a name of a variable time.
var methods = regexp.MustCompile(`\.(Add|Sub|Negate|NegateIf|Set|Mul|Square|Half|Reduce|ZeroMask|OneIf|IsOdd|` +
	`squares|power2|Invert|pick|recode|set|pickEach|invert|add|` +
	`Broadcast|Get|lane|setLane|tighten)$`)

// findBranches names whatever may take another time for another value.
func findBranches(t *testing.T, name, src string) (found []string, functions int) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		// A sum of public weights: a batch check's scratch, all of it for public points.
		if !ok || strings.HasSuffix(f.Name.Name, "Vartime") || f.Name.Name == "InvertAll" {
			continue
		}
		functions++
		counters := map[string]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			if what := branch(src, n, counters); what != "" {
				found = append(found, fmt.Sprintf("%v: %s: %s", set.Position(n.Pos()), f.Name.Name, what))
			}
			return true
		})
	}
	return found, functions
}

func branch(src string, n ast.Node, counters map[string]bool) string {
	switch n := n.(type) {
	case *ast.IfStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt, *ast.ForStmt, *ast.BranchStmt,
		*ast.DeferStmt, *ast.GoStmt, *ast.FuncLit, *ast.MapType, *ast.TypeAssertExpr:
		return fmt.Sprintf("%T", n)
	case *ast.RangeStmt:
		if key, ok := n.Key.(*ast.Ident); ok {
			counters[key.Name] = true
		}
		if n.Value != nil {
			return "a range with values"
		}
		switch n.X.(type) {
		case *ast.Ident, *ast.BasicLit:
		default:
			return "a range over no name"
		}
	case *ast.BinaryExpr:
		return operator(n.Op, n.X, n.Y, counters)
	case *ast.AssignStmt:
		if n.Tok != token.ASSIGN && n.Tok != token.DEFINE {
			op := map[token.Token]token.Token{token.SHL_ASSIGN: token.SHL, token.SHR_ASSIGN: token.SHR,
				token.QUO_ASSIGN: token.QUO, token.REM_ASSIGN: token.REM}[n.Tok]
			return operator(op, n.Lhs[0], n.Rhs[0], counters)
		}
	case *ast.IndexExpr:
		if !isPublic(n.Index, counters) {
			return "an index that is no counter"
		}
	case *ast.SliceExpr:
		for _, e := range []ast.Expr{n.Low, n.High, n.Max} {
			if e != nil && !isPublic(e, counters) {
				return "a slice by what is no counter"
			}
		}
	case *ast.CallExpr:
		callee := src[n.Fun.Pos()-1 : n.Fun.End()-1]
		if !allowed[callee] && !methods.MatchString(callee) {
			return "a call of " + callee
		}
	}
	return ""
}

func operator(op token.Token, x, y ast.Expr, counters map[string]bool) string {
	switch op {
	case token.LAND, token.LOR, token.LSS, token.GTR, token.LEQ, token.GEQ, token.NEQ:
		return "a comparison"
	case token.EQL: // of one bit, as in IsOdd, it makes no branch: the compiled code is looked at below
		if b, ok := x.(*ast.BinaryExpr); !ok || b.Op != token.AND {
			return "a comparison"
		}
	case token.QUO, token.REM:
		if !isPublic(x, counters) || !isPublic(y, counters) {
			return "a division"
		}
	case token.SHL, token.SHR:
		if !isPublic(y, counters) {
			return "a shift by a secret"
		}
	}
	return ""
}

// isPublic reports whether an expression has nothing but constants, counters and positions.
func isPublic(e ast.Expr, counters map[string]bool) bool {
	ok := true
	ast.Inspect(e, func(n ast.Node) bool {
		if id, is := n.(*ast.Ident); is && !public[id.Name] && !counters[id.Name] {
			ok = false
		}
		if _, is := n.(*ast.IndexExpr); is {
			ok = false
		}
		return true
	})
	return ok
}

// The compiler makes no branch of what has none in the source: in the machine's code every
// conditional jump is at the line of a loop or a function's beginning, copies or clears memory, or
// checks the bounds of an index by a position or of a length. An encoding, which is public, may grow what it is appended to.
func TestMachineCodeDoesNotBranch(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("reads machine code of amd64")
	}
	var code strings.Builder
	for _, pkg := range []string{".", "../field"} { // as programs have it, not as tests do
		archive, err := exec.Command("go", "list", "-export", "-f", "{{.Export}}", pkg).Output()
		if err != nil {
			t.Fatalf("go list -export: %v", err)
		}
		const secret = `(\(\*(lane|entry|eight|scratch|Lanes)\)\.\w+|consttime\.(begin|choose|add)|\(\*Element\)\.\w+)$`
		out, err := exec.Command("go", "tool", "objdump", "-s", secret, strings.TrimSpace(string(archive))).Output()
		if err != nil {
			t.Fatalf("go tool objdump: %v", err)
		}
		code.Write(out)
	}
	lines := map[string][]string{}
	for _, name := range append([]string{"entry_amd64.go", "pick_amd64.go", "../field/mul_amd64.go",
		"../field/lanes_amd64.go"}, secretFiles...) {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines[name[strings.LastIndex(name, "/")+1:]] = strings.Split(string(src), "\n")
	}
	loop := regexp.MustCompile(`^\s*for |` +
		`cpu.X86.HasAVX2|if hasADX|&row\[0\]|^func |\[at/64\]|\[at/64\+1\]|lanes\[len\(lanes\)-1-i\]|\(\*\[32\]byte\)|` +
		`if ifma|field\.FastLanes\(\)|clear\(|s\.sums\[|&from\[i\]|p\.x = q\.x|s\.negated\[at\]|l\[0\]\[at\]|` +
		`var \w+ field\.Lanes|s\.before\[|&s\.alone\[at\]|\[pos\]|&from\[at\]|\[at%field\.LaneCount\]|\[half\]`)
	at := regexp.MustCompile(`^\s*(\w+\.\w+):(\d+)\s+0x[0-9a-f]+\s+[0-9a-f]+\s+(J[A-Z]+)\b`)
	function, functions, jumps, seen := "", 0, 0, 0
	for line := range strings.SplitSeq(code.String(), "\n") {
		if name, ok := strings.CutPrefix(line, "TEXT "); ok {
			function = name
			functions++
			continue
		}
		m := at.FindStringSubmatch(line)
		if m == nil || m[3] == "JMP" || strings.Contains(function, "AppendBytes") {
			continue
		}
		if strings.Contains(function, "Vartime") {
			seen++
			continue
		}
		jumps++
		number, err := strconv.Atoi(m[2])
		if src := lines[m[1]]; err != nil || number == 0 || number > len(src) || !loop.MatchString(src[number-1]) {
			t.Errorf("%s: a conditional jump: %s", function, strings.TrimSpace(line))
		}
	}
	if functions < 12 || jumps == 0 || seen == 0 { // what takes variable time has some
		t.Fatalf("%d functions and %d jumps were looked at, and %d of variable time seen", functions, jumps, seen)
	}
}

// Assembly is not in what objdump shows of an archive, so its source is read: it has no jump but
// back to the beginning of a loop over a row, no address with an index and no division.
func TestAssemblyDoesNotBranch(t *testing.T) {
	t.Parallel()
	instructions := 0
	for _, name := range assembly {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(src), "\n") {
			if regexp.MustCompile(`^\s+[A-Z]`).MatchString(line) {
				instructions++
			}
			if slow := variable(line); slow != "" {
				t.Errorf("%s: %s", name, slow)
			}
		}
	}
	if instructions < 100 {
		t.Errorf("only %d instructions were looked at", instructions)
	}
	for _, line := range []string{"\tJCC done", "\tJMP other", "\tMOVQ (SI)(AX*8), BX", "\tMOVQ (SI)(AX), BX \\",
		"\tDIVQ CX", "\tCALL ·f(SB)", "\tLOOP next", "\tSHLQ CX, AX"} {
		if variable(line) == "" {
			t.Errorf("%q: not found", line)
		}
	}
}

// variable returns a line of assembly whose time or address may depend on a value.
func variable(line string) string {
	if regexp.MustCompile(`^\s+(J|LOOP|CALL|I?DIV|REP|BS[FR]|[SR]\w[LR][BWLQ]? +CX)|\)\(`).MatchString(line) &&
		!regexp.MustCompile(`^\s+JNZ +next$`).MatchString(line) {
		return strings.TrimSpace(line)
	}
	return ""
}
