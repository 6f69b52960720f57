package launch

import (
	"encoding/hex"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/reload"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// loadPolicy reads the policy that a node's file names; nil if it names none.
func loadPolicy(n *config.Node) (*policy.Policy, error) {
	if n.Node.Policy == "" {
		return nil, nil
	}
	return config.LoadPolicy(n.Node.Policy, n.Network.Type)
}

// policyOf is a running node's, which began with the one of that hash.
func policyOf(n *config.Node, current [32]byte, use func(*policy.Policy) error) reload.Thing {
	path := n.Node.Policy
	return reload.Thing{
		Name: "policy", Files: []secret.File{config.PolicyFile(path)},
		Take: func(texts [][]byte) (t reload.Taken, err error) {
			next, err := config.PolicyOf(path, texts[0], n.Network.Type)
			if err != nil || next.Hash() == current {
				return t, err
			}
			if err := use(next); err != nil {
				return t, &secret.FileError{What: "policy file", Path: path, Problem: "cannot be used: " + err.Error(), Err: err}
			}
			current = next.Hash()
			return reload.Taken{Changed: []string{"the policy's hash is " + hashText(current)}, Grave: true}, nil
		},
	}
}

func hashText(hash [32]byte) string { return hex.EncodeToString(hash[:]) }
