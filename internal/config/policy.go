package config

import (
	"context"
	"errors"

	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// LoadPolicy reads a node's policy file, for a network. What it refuses is Errors.
func LoadPolicy(path, network string) (*policy.Policy, error) {
	text, err := policyText(path)
	if err != nil {
		return nil, err
	}
	return parsePolicy(path, text.Expose(), network)
}

func policyText(path string) (*secret.Bytes, error) {
	text, err := secret.File{What: "policy file", Path: path, Max: policy.MaxFile, Public: true}.Text()
	return text, atLineOne(err)
}

func parsePolicy(path string, text []byte, network string) (*policy.Policy, error) {
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

// FollowPolicy is FollowAccess for a policy file.
func FollowPolicy[T any](
	ctx context.Context, path, network string, now <-chan T, changed func(*policy.Policy, error),
) {
	follow(ctx, now, &followed[*policy.Policy]{
		text:    func() (*secret.Bytes, error) { return policyText(path) },
		parse:   func(text []byte) (*policy.Policy, error) { return parsePolicy(path, text, network) },
		changed: changed,
	})
}
