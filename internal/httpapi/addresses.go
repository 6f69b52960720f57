package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/directory"
)

var _ = resource((*Server).addAddresses)

func (s *Server) addAddresses() {
	register(s, operation{
		id: "listAddresses", method: http.MethodGet, path: "/v1/keys/{id}/addresses", tag: "Addresses", scopes: []Scope{Read},
		summary: "List addresses of a key's children", codes: derived,
		text: "Addresses that follow from the key's public data: nobody is asked for them, and the fleet signs for each. " +
			"account is a path from the key; 0 receives payments and 1 is for change, as in other wallets, and 5/0 receives " +
			"those of account 5.",
	}, s.listAddresses)
	register(s, operation{
		id: "getDescriptor", method: http.MethodGet, path: "/v1/keys/{id}/descriptor", tag: "Addresses", scopes: []Scope{Read},
		summary: "Get a key's output descriptors", codes: append([]string{"no_extended_key"}, derived...),
		text: "What watch-only wallets import to see all addresses of a bitcoin key (BIPs 32, 380, 386, 389). Solana keys have " +
			"none.",
	}, s.getDescriptor)
	register(s, operation{
		id: "findAddress", method: http.MethodGet, path: "/v1/addresses/{address}", tag: "Addresses", scopes: []Scope{Read},
		summary: "Find the key of an address", codes: derived,
		text: "The key whose own address it is. With key, a child of that key is looked for: among count children of account " +
			"from index from on. Children are not stored anywhere, as there are two billion of each key.",
	}, s.findAddress)
}

// derived are the codes of what a key has no such child for.
var derived = []string{"bad_path", "bad_count", "invalid_child"}

// AccountParam is a path from a key to what its addresses are below.
type AccountParam struct {
	Account string `query:"account" default:"0" pattern:"^((0|[1-9][0-9]{0,9})/){0,6}[01]$" example:"0" doc:"Path from the key to what the addresses are below, without hardened steps: it ends in 0 (to receive) or 1 (change)"`
}

// ListAddressesInput asks for consecutive addresses.
type ListAddressesInput struct {
	KeyID
	AccountParam
	From  int `query:"from" minimum:"0" maximum:"2147483647" default:"0" doc:"The first index"`
	Count int `query:"count" minimum:"1" maximum:"1000" default:"20"`
}

// ChildAddress is the address of a child.
type ChildAddress struct {
	Index   int    `json:"index" minimum:"0"`
	Path    string `json:"path" doc:"From the key: what a request for signatures names beside the key"`
	Address string `json:"address" doc:"On the fleet's network"`
}

// ListAddressesOutput has consecutive addresses.
type ListAddressesOutput struct {
	Body struct {
		Addresses []ChildAddress `json:"addresses"`
	}
}

func (s *Server) listAddresses(ctx context.Context, in *ListAddressesInput) (*ListAddressesOutput, error) {
	k, err := s.cfg.Directory.Key(s.principal(ctx).Of(), in.ID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &ListAddressesOutput{}
	out.Body.Addresses = make([]ChildAddress, 0, in.Count)
	err = s.children(ctx, &k, in.Account, in.From, in.Count, func(a ChildAddress) bool {
		out.Body.Addresses = append(out.Body.Addresses, a)
		return true
	})
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return out, nil
}

// children calls use with consecutive addresses below account, until it returns false, or
// nobody waits for them any more.
func (s *Server) children(ctx context.Context, k *directory.Key, account string, from, count int, use func(ChildAddress) bool) error {
	a, err := s.account(k)
	if err != nil {
		return err
	}
	path, branch := splitAccount(account)
	if path != "" {
		if a, err = a.At(path); err != nil {
			return err
		}
	}
	index := from
	for address, err := range a.Addresses(branch, uint32(from), count) {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		if !use(ChildAddress{index, address.Path, address.Address}) {
			return nil
		}
		index++
	}
	return nil
}

// splitAccount takes the branch from an account's path, whose pattern has one.
func splitAccount(text string) (path string, branch client.Branch) {
	branch = client.Receive
	if text[len(text)-1] == '1' {
		branch = client.Change
	}
	return strings.TrimSuffix(text[:len(text)-1], "/"), branch
}

// account is a key of the directory, for what follows from it: the directory has checked its
// entry, as the register has it.
func (s *Server) account(k *directory.Key) (*client.Account, error) {
	known, err := client.KnownKey(s.cfg.Public, k.Chain, k.ID, k.PublicKey, k.ChainCode)
	if err != nil {
		return nil, err
	}
	return known.Account()
}

// DescriptorOutput is what wallets import.
type DescriptorOutput struct {
	Body struct {
		Descriptor string `json:"descriptor" doc:"tr([fingerprint]xpub/<0;1>/*)#checksum (BIP 389), for the two others"`
		Receive    string `json:"receive" doc:"Of the addresses 0/*"`
		Change     string `json:"change" doc:"Of the addresses 1/*"`
		XPub       string `json:"xpub" doc:"Extended public key (BIP 32)"`
	}
}

// DescriptorInput names an account of a key.
type DescriptorInput struct {
	KeyID
	Account string `query:"account" pattern:"^(0|[1-9][0-9]{0,9})(/(0|[1-9][0-9]{0,9})){0,5}$" doc:"Path from the key; without it, the key is the account"`
}

func (s *Server) getDescriptor(ctx context.Context, in *DescriptorInput) (*DescriptorOutput, error) {
	k, err := s.cfg.Directory.Key(s.principal(ctx).Of(), in.ID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	a, err := s.account(&k)
	if err == nil && in.Account != "" {
		a, err = a.At(in.Account)
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	d, err := a.Descriptors()
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	xpub, err := a.ExtendedKey()
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &DescriptorOutput{}
	out.Body.Descriptor, out.Body.Receive, out.Body.Change, out.Body.XPub = d.Both, d.Receive, d.Change, xpub
	return out, nil
}

// FindAddressInput asks whose an address is.
type FindAddressInput struct {
	Address string `path:"address" minLength:"1" maxLength:"128" pattern:"^[0-9A-Za-z]+$"`
	Key     string `query:"key" minLength:"1" maxLength:"64" doc:"Among whose children to look"`
	AccountParam
	From  int `query:"from" minimum:"0" maximum:"2147483647" default:"0" doc:"The first index to look at; with key"`
	Count int `query:"count" minimum:"1" maximum:"10000" default:"1000" doc:"How many to look at; with key"`
}

// FoundAddress is whose an address is.
type FoundAddress struct {
	Address string `json:"address"`
	Client  string `json:"client" doc:"Whose it is"`
	Path    string `json:"path" doc:"From the key to the child whose address it is; empty: the key's own"`
	Key     Key    `json:"key"`
}

// FoundAddressOutput is the answer.
type FoundAddressOutput struct{ Body FoundAddress }

func (s *Server) findAddress(ctx context.Context, in *FindAddressInput) (*FoundAddressOutput, error) {
	of := s.principal(ctx).Of()
	if in.Key == "" {
		k, err := s.cfg.Directory.ByAddress(of, in.Address)
		if err != nil {
			return nil, s.fail(ctx, err)
		}
		return &FoundAddressOutput{FoundAddress{in.Address, k.Client, "", s.view(&k)}}, nil
	}
	k, err := s.cfg.Directory.Key(of, in.Key)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	var found *FoundAddressOutput
	err = s.children(ctx, &k, in.Account, in.From, in.Count, func(a ChildAddress) bool {
		if a.Address == in.Address {
			found = &FoundAddressOutput{FoundAddress{in.Address, k.Client, a.Path, s.view(&k)}}
		}
		return found == nil
	})
	if err == nil && found == nil {
		err = directory.ErrNotFound
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return found, nil
}
