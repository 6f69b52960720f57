package config

import (
	"errors"

	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// LoadPolicy reads a node's policy file, for a network. What it refuses is Errors.
func LoadPolicy(path, network string) (*policy.Policy, error) {
	text, err := PolicyFile(path).Text()
	if err != nil {
		return nil, atLineOne(err)
	}
	return PolicyOf(path, text.Expose(), network)
}

// PolicyFile is the file that LoadPolicy reads.
func PolicyFile(path string) secret.File {
	return secret.File{What: "policy file", Path: path, Max: policy.MaxFile, Public: true}
}

// PolicyOf is LoadPolicy where the file's text is there already.
func PolicyOf(path string, text []byte, network string) (*policy.Policy, error) {
	p, err := policy.Parse(text, network)
	found, ok := errors.AsType[policy.Errors](err)
	if !ok {
		return p, err
	}
	var all Errors
	for _, e := range found {
		all = append(all, &Error{File: path, Line: e.Line, Key: e.Key, Message: e.Message})
	}
	return nil, all
}
