// Package provision makes a node's keys, or says how they are made.
//
// A token's and a file's keys it makes itself, and never touches one that is
// there. Keys in AWS KMS it does not make: a worker's role must not be able to.
// It prints a script for somebody who may.
package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/launch"
)

// Options are what a node's file does not say.
type Options struct {
	launch.ProviderOptions
	RoleARN string // of the node's role, for AWS KMS; a guess by default
}

// Result is what was made, or what is to be done.
type Result struct {
	Provider  string             `json:"provider"`
	Facts     []keyprovider.Fact `json:"facts,omitempty"`     // of the keys that there are now
	Notes     []string           `json:"notes,omitempty"`     // for who runs the commands
	Documents []Document         `json:"documents,omitempty"` // files that the commands name
	Commands  []string           `json:"commands,omitempty"`  // for a shell, in order
}

// Document is a file to be written before the commands run.
type Document struct {
	Name    string          `json:"name"`
	Content json.RawMessage `json:"content"`
}

// Run makes the keys that a node's file names, or says how to.
func Run(ctx context.Context, n *config.Node, o Options) (*Result, error) {
	r := &Result{Provider: n.Node.KeyProvider.Type}
	var err error
	switch r.Provider {
	case config.Software:
		r.Facts, err = makeFile(n.Node.KeyProvider.KeyFile)
	case config.PKCS11:
		r.Facts, err = makeOnToken(ctx, n, o)
	case config.AWSKMS:
		err = r.script(n, o)
	default:
		err = fmt.Errorf("[node.key_provider] type = %q: there is nothing to provision", r.Provider)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func makeFile(path string) ([]keyprovider.Fact, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	state := "made"
	if err := software.Generate(path); errors.Is(err, fs.ErrExist) {
		state = "was there, and was not touched"
	} else if err != nil {
		return nil, err
	}
	return []keyprovider.Fact{{Name: "key file " + path, Value: state, Warning: "private keys in the clear: for development only"}}, nil
}

// Print writes the result for people. Of commands it makes a shell script.
func (r *Result) Print(w io.Writer) error {
	for _, f := range r.Facts {
		if _, err := fmt.Fprintf(w, "%s: %s\n", f.Name, f.Value); err != nil {
			return err
		}
		if f.Warning != "" {
			if _, err := fmt.Fprintf(w, "WARNING: %s\n", f.Warning); err != nil {
				return err
			}
		}
	}
	if len(r.Commands) == 0 {
		return nil
	}
	_, err := io.WriteString(w, r.shell())
	return err
}
