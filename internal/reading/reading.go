// Package reading is a request for signatures as a person reads it before agreeing to it:
// who is paid, what is change, what it costs, and what nobody can account for. frostctl and
// the HTTP API say it in the same words, and with the same numbers. It is pure: it writes
// down what the readers of internal/tx found.
package reading

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Request is what a request for signatures means, to be shown.
type Request struct {
	*intent.Intent
	Network  string
	Roots    []intent.Root // of the request
	Replaces string        // the job whose fee this one bumps, if it does
}

// Of reads what a sign job carries, as every node will. key finds a key that the job names;
// without one of them nothing is said, as its inputs would be shown as others'. Errors are
// sentences for people.
func Of(network string, job *wire.Job, key func(id string) (derive.Key, error)) (Request, error) {
	kind, content := job.Request()
	if kind == intent.Raw {
		in, roots := job.RawIntent()
		return Request{Intent: in, Network: network, Roots: roots}, nil
	}
	roots := make([]intent.Root, len(job.Keys))
	for i, named := range job.Keys {
		k, err := key(named.Key)
		if err != nil {
			return Request{}, fmt.Errorf("key %.80s: %w", named.Key, err)
		}
		if k.Suite != wire.RequestSuite(kind) {
			return Request{}, fmt.Errorf("key %.80s is of suite %s, and a %s is signed with keys of suite %s", named.Key,
				k.Suite, kind, wire.RequestSuite(kind))
		}
		roots[i] = intent.Root{ID: named.Key, Key: k}
		if named.Path != nil {
			if roots[i].Path, err = derive.ParsePath(*named.Path); err != nil {
				return Request{}, fmt.Errorf("key %.80s, path %.100q: %w", named.Key, *named.Path, err)
			}
		}
	}
	read, refusal := tx.Read(tx.Request{Kind: kind, Bytes: content, Roots: roots, Partial: job.Partial}, network,
		derive.NewCache(maxBranches))
	if refusal != nil {
		return Request{}, refusal
	}
	return Request{Intent: read.Intent(), Network: network, Roots: roots, Replaces: job.Replaces}, nil
}

// maxBranches bounds what one reading remembers of its keys' children.
const maxBranches = 256
