package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Mutant takes one property away from the code, and names the test that must
// notice.
type Mutant struct {
	Name   string // unique
	Breaks string // what no longer holds
	Edits  []Edit // of one file, but where two checks do each other's work
	Pkg    string // of the test, below the module's root
	Test   string // the function that must fail
	Args   []string
}

// Edit is one change of a source file, whose path is below the module's root. The
// old text stands there exactly once, and is as short as that allows: long ones
// go stale with every change beside them.
type Edit struct{ File, Old, New string }

// module is the path of the module that the mutants change.
const module = "github.com/frostfleet/frostfleet/"

// part is a part of the table.
type part struct {
	title   string
	mutants []Mutant
}

// parts is the table, in the order in which it is run.
var parts = []part{
	{"What is signed, and by whom", wireMutants},
	{"Key generation", keygenMutants},
	{"Resharing", reshareMutants},
	{"Signing", signingMutants},
	{"Bitcoin transactions", bitcoinMutants},
	{"Policies", policyMutants},
	{"Keystore, worker, client", keeperMutants},
	{"Clients and transactions", requestMutants},
	{"Presence, the lease, late work", presenceMutants},
	{"Audit logs", auditMutants},
	{"The way out", exitMutants},
	{"Whole fleets", simMutants},
}

// all is the table without its parts.
func all() (list []Mutant) {
	for _, p := range parts {
		list = append(list, p.mutants...)
	}
	return list
}

// edit starts a mutant that changes a text.
func edit(name, file, old, now string) Mutant {
	return Mutant{Name: name, Edits: []Edit{{file, old, now}}}
}

// never starts a mutant in which a condition, which the text begins, never holds.
func never(name, file, condition string) Mutant {
	return edit(name, file, condition, "false && "+condition)
}

// and adds another change.
func (m Mutant) and(file, old, now string) Mutant {
	m.Edits = append(m.Edits, Edit{file, old, now})
	return m
}

// killed names what the mutant breaks, and the test that must fail.
func (m Mutant) killed(breaks, pkg, test string, args ...string) Mutant {
	m.Breaks, m.Pkg, m.Test, m.Args = breaks, pkg, test, args
	return m
}

// apply returns the mutated sources by path. A text that isn't there once is an
// error: the code has moved on and the mutant has not.
func (m *Mutant) apply(root string) (map[string][]byte, error) {
	sources := map[string][]byte{}
	for _, e := range m.Edits {
		path := filepath.Join(root, e.File)
		source, ok := sources[path]
		if !ok {
			var err error
			if source, err = os.ReadFile(path); err != nil {
				return nil, err
			}
		}
		if n := strings.Count(string(source), e.Old); n != 1 || e.Old == e.New {
			return nil, fmt.Errorf("%s has the text to change %d times, want once; adapt the mutant: %q", e.File, n, e.Old)
		}
		sources[path] = []byte(strings.Replace(string(source), e.Old, e.New, 1))
	}
	return sources, nil
}
