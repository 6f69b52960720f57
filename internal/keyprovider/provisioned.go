package keyprovider

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Provisioned is what was made, or what is to be done by somebody else.
type Provisioned struct {
	Provider  string     `json:"provider"`
	Facts     []Fact     `json:"facts,omitempty"`     // about the keys that there are now
	Notes     []string   `json:"notes,omitempty"`     // for the person who runs the commands
	Documents []Document `json:"documents,omitempty"` // files that the commands name
	Commands  []string   `json:"commands,omitempty"`  // for a shell, in order
}

// Document is a file to be written before the commands run.
type Document struct {
	Name    string          `json:"name"`
	Content json.RawMessage `json:"content"` // indented, for people
}

// Print writes the result for people. Of commands it makes a shell script.
func (p *Provisioned) Print(w io.Writer) error {
	var b strings.Builder
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
		if f.Warning != "" {
			fmt.Fprintf(&b, "WARNING: %s\n", f.Warning)
		}
	}
	if len(p.Commands) > 0 {
		p.shell(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shell writes the commands as a script for somebody who may make keys.
func (p *Provisioned) shell(b *strings.Builder) {
	b.WriteString("#!/bin/sh\n# For an administrator of the account: a worker's role must not make keys.\n" +
		"# It can run again: a key that its alias leads to is not made again.\n")
	for _, note := range p.Notes {
		b.WriteString("# " + strings.ReplaceAll(note, "\n", " ") + "\n")
	}
	b.WriteString("set -eu\n")
	for _, d := range p.Documents {
		fmt.Fprintf(b, "\ncat > %s <<'END'\n%s\nEND\n", d.Name, d.Content)
	}
	b.WriteString("\n" + strings.Join(p.Commands, "\n") + "\n")
}
