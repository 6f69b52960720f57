package interop_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// question is what a program is asked. Bytes are hexadecimal.
type question struct {
	Ask     string `json:"ask"` // which function of the program
	Network string `json:"network"`

	PublicKey string `json:"public_key,omitempty"` // the key, as keygen's result has it
	ChainCode string `json:"chain_code,omitempty"`

	Account    string `json:"account"` // path from the key
	Xpub       string `json:"xpub,omitempty"`
	Descriptor string `json:"descriptor,omitempty"`
	Receive    string `json:"receive,omitempty"`
	Change     string `json:"change,omitempty"`
	Runs       []run  `json:"runs,omitempty"`

	Path       string `json:"path"` // of the child that signs
	ScriptRoot string `json:"script_root"`
	Message    string `json:"message,omitempty"`
	Signature  string `json:"signature,omitempty"`
	Address    string `json:"address,omitempty"` // Solana: who pays,
	To         string `json:"to,omitempty"`      // whom,
	Blockhash  string `json:"blockhash,omitempty"`

	Index  int    `json:"index"`
	Script string `json:"script,omitempty"`

	Text string `json:"text,omitempty"` // of a message

	payment
	transfer
}

// run are consecutive addresses of a branch.
type run struct {
	Branch     uint32   `json:"branch"`
	First      uint32   `json:"first"`
	Addresses  []string `json:"addresses"`
	PublicKeys []string `json:"public_keys,omitempty"` // solana
}

type answer struct {
	Compared int      `json:"compared"`
	Wrong    []string `json:"wrong"`
	Message  string   `json:"message"`

	PSBT        string `json:"psbt"`        // base64
	Transaction string `json:"transaction"` // bitcoin: hexadecimal; solana: base64
}

// program is a library that answers.
type program struct {
	name, chain string
	signs       bool // it can tell whether a signature is good

	in       io.Writer
	out      *bufio.Reader
	said     bytes.Buffer
	compared int
	busy     time.Duration
}

// programs are all libraries.
type programs []*program

// of are those for a chain.
func (all programs) of(chain string) (some programs) {
	for _, p := range all {
		if p.chain == chain {
			some = append(some, p)
		}
	}
	return some
}

// signing are those that verify signatures.
func (all programs) signing() (some programs) {
	for _, p := range all {
		if p.signs {
			some = append(some, p)
		}
	}
	return some
}

// named are those of some names.
func (all programs) named(names ...string) (some programs) {
	for _, p := range all {
		if slices.Contains(names, p.name) {
			some = append(some, p)
		}
	}
	return some
}

// descriptors are those that read descriptors.
func (all programs) descriptors() programs {
	return all.named("embit", "bdk")
}

// start runs a program for each library until the test ends.
func start(t *testing.T) programs {
	t.Helper()
	node, python := nodePrograms(t), python(t)
	all := programs{
		{name: "bitcoinjs", chain: "bitcoin", signs: true}, {name: "scure", chain: "bitcoin", signs: true},
		{name: "solana", chain: "solana", signs: true}, {name: "embit", chain: "bitcoin", signs: true},
		{name: "bdk", chain: "bitcoin"}, {name: "solders", chain: "solana", signs: true},
	}
	for _, p := range all {
		command := []string{"node", filepath.Join(node, p.name+".mjs")}
		if _, err := os.Stat(command[1]); err != nil {
			command = []string{python, "-B", p.name + "_wallet.py"}
		}
		p.run(t, command)
	}
	return all
}

func (p *program) run(t *testing.T, command []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Stderr = &p.said
	p.in = must(cmd.StdinPipe())
	p.out = bufio.NewReader(must(cmd.StdoutPipe()))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // which the context of the test has ended
}

// ask returns the program's answer.
func (p *program) ask(t *testing.T, q question) answer {
	t.Helper()
	return p.send(t, must(json.Marshal(q)))
}

func (p *program) send(t *testing.T, question []byte) (a answer) {
	t.Helper()
	begin := time.Now()
	if _, err := p.in.Write(append(question, '\n')); err != nil {
		t.Fatalf("%s: %v\n%s", p.name, err, &p.said)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &a) != nil {
		t.Fatalf("%s answers %q, %v\n%s", p.name, line, err, &p.said)
	}
	p.busy += time.Since(begin)
	p.compared += a.Compared
	return a
}

// agree asks every program all questions, at the same time, and wants nothing wrong.
func (all programs) agree(t *testing.T, questions ...question) {
	t.Helper()
	var wg sync.WaitGroup
	for _, p := range all {
		wg.Go(func() {
			for _, q := range questions {
				a := p.ask(t, q)
				if len(a.Wrong) > 0 || a.Compared == 0 {
					t.Errorf("%s, %s: %d compared, wrong: %.2000q", p.name, must(json.Marshal(q)), a.Compared, a.Wrong)
					return
				}
			}
		})
	}
	wg.Wait()
}
