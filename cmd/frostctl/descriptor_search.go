package main

import (
	"fmt"

	"github.com/frostfleet/frostfleet/client"
)

// descriptorSearch looks for the key that an output descriptor is of. Nil looks for
// nothing.
type descriptorSearch struct {
	descriptor *client.Descriptor
	account    *client.Account // once it is found
}

func newDescriptorSearch(m *client.Manifest, text string) (*descriptorSearch, error) {
	if text == "" {
		return nil, nil
	}
	d, err := client.ParseDescriptor(m, text)
	if err != nil {
		return nil, fmt.Errorf("--descriptor: %w", accountUsage(err))
	}
	return &descriptorSearch{descriptor: d}, nil
}

// among looks at some more keys.
func (s *descriptorSearch) among(keys []client.Key) (err error) {
	if s == nil {
		return nil
	}
	for _, k := range keys {
		if s.account == nil && err == nil {
			s.account, err = s.descriptor.Account(k)
		}
	}
	return err
}

// owner returns what was found in a file of keys.
func (s *descriptorSearch) owner(file string) (*descriptorOwner, error) {
	switch {
	case s == nil:
		return nil, nil
	case s.account == nil:
		return nil, fmt.Errorf("--descriptor: %w: it is of none of the keys in %s: pay to none of its addresses", errUnproven,
			file)
	}
	return &descriptorOwner{s.account.Key().ID, s.account.Path()}, nil
}

// String is a line for people.
func (s *descriptorSearch) String() string {
	if s == nil {
		return ""
	}
	account := ""
	if path := s.account.Path(); path != "" {
		account = ", account " + path
	}
	return fmt.Sprintf("the descriptor is of key %s%s\n", s.account.Key().ID, account)
}
