package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// defaultKeys is the file of keys that commands read if none is named.
const defaultKeys = "keys.jsonl"

// accountOptions are the flags of commands that derive from a key, offline.
type accountOptions struct {
	key, account   string
	keys, manifest string
}

func (o *accountOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.key, "key", "", "key id, from keygen")
	f.StringVar(&o.account, "account", "",
		"path from the key to an account, such as 5 or 7/2 (default: the key is the account)")
	f.StringVar(&o.keys, "keys", defaultKeys, "the file of frostctl keygen; - is standard input")
	addManifestFlag(cmd, &o.manifest)
	addConfigFlag(cmd)
	_ = cmd.MarkFlagRequired("key") // fails only without such a flag
}

// open finds the key, verifies it as verify --keys does, and returns the account.
func (o *accountOptions) open(cmd *cobra.Command) (*client.Account, *client.Manifest, error) {
	if _, err := wire.ParseKeyID(o.key); err != nil {
		return nil, nil, usagef("--key: %w", err)
	}
	m, err := statedManifest(cmd, o.manifest)
	if err != nil {
		return nil, nil, err
	}
	k, err := findKey(cmd, o.keys, m, o.key)
	if err != nil {
		return nil, nil, err
	}
	a, err := k.Account()
	if err == nil && o.account != "" {
		if a, err = a.At(o.account); err != nil {
			err = fmt.Errorf("--account: %w", accountUsage(err))
		}
	}
	return a, m, err
}

// findKey returns a key of a keys file. Only the line that has it is verified: a file
// may have a million keys.
func findKey(cmd *cobra.Command, path string, m *client.Manifest, id string) (found client.Key, err error) {
	quoted := []byte(`"` + id + `"`)
	err = readLines(cmd, "keys", path, func(line []byte) error {
		if found.ID != "" || !bytes.Contains(line, quoted) {
			return nil
		}
		_, keys, err := verifyProof(line, m)
		for _, k := range keys {
			if k.ID == id {
				found = k
			}
		}
		return err
	})
	if err == nil && found.ID == "" {
		err = fmt.Errorf("key %s is not in %s: name the keys file that has it (--keys)", id, path)
	}
	return found, err
}

// accountUsage marks what is wrong with a command line: all that an account can't be
// asked. A descriptor of another network is one to be warned of.
func accountUsage(err error) error {
	e, ok := errors.AsType[*client.AccountError](err)
	switch {
	case !ok || e.Code == client.CodeInvalidChild:
		return err
	case e.Code == client.CodeOtherNetwork:
		return fmt.Errorf("%w: %w", errUnproven, err)
	}
	return command.Usage(err)
}

func addManifestFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "manifest", "",
		"the fleet's manifest.json (default: the one that the client configuration names)")
	_ = cmd.MarkFlagFilename("manifest", "json") // fails only without such a flag
}

// statedManifest reads the manifest at a path, or that which the client's file names.
func statedManifest(cmd *cobra.Command, path string) (*client.Manifest, error) {
	path, err := statedManifestPath(cmd, path)
	if err != nil {
		return nil, err
	}
	return client.LoadManifest(path)
}

// statedManifestPath is where that is.
func statedManifestPath(cmd *cobra.Command, path string) (string, error) {
	if path != "" {
		return path, nil
	}
	path, err := configPath(cmd)
	if err != nil {
		return "", errors.Join(err, usagef("or name the manifest itself: --manifest manifest.json"))
	}
	file, err := config.ParseClient(path)
	if err != nil {
		return "", err
	}
	return file.Client.Manifest, nil
}
