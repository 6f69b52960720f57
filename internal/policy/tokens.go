package policy

import (
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/tx/solana"
)

// toAccount begins a payment to a token account whose owner is not known.
const toAccount = "account:"

// cost is how many addresses one of Solana's may come to.
func (d *destinations) cost() int { return 1 + len(tokenPrograms)*len(d.tokens) }

// add adds an address, and of Solana the token accounts that follow from it.
func (d *destinations) add(of, address string) error {
	d.addresses[address] = true
	if of != intent.Solana {
		return nil
	}
	for _, mint := range d.tokens {
		accounts, err := tokenAccounts(address, mint)
		if err != nil {
			return err
		}
		for _, account := range accounts {
			d.addresses[account] = true
		}
	}
	return nil
}

// tokenPrograms are the programs that a mint may be of.
var tokenPrograms = []string{solana.TokenProgram, solana.Token2022Program}

// tokenAccounts are an owner's associated accounts of a mint, as payments name them where
// the transaction doesn't say whose they are.
func tokenAccounts(owner, mint string) (accounts []string, err error) {
	for _, program := range tokenPrograms {
		account, err := solana.AssociatedAccount(owner, program, mint)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, toAccount+account)
	}
	return accounts, nil
}
