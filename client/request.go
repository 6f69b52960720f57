package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a request of a transaction names at most.
const (
	MaxPSBTKeys = wire.MaxPSBTKeys  // keys under which the inputs of a PSBT are looked for
	MaxSigners  = wire.MaxTxSigners // keys of one fleet that sign a Solana transaction
)

// SignPSBTRequest asks for the signatures of a PSBT: of every input whose internal key is a
// child of one of Keys, for the key path.
type SignPSBTRequest struct {
	PSBT []byte // BIP 174, version 0, in binary
	// Keys are those under which inputs and change are looked for, 1 to MaxPSBTKeys, as
	// Keygen or Proof.Verify returned them.
	Keys []Key
	// Partial leaves inputs of these keys unsigned that can't be signed. Without it all are
	// signed or none.
	Partial bool
	// Finalize makes the signed inputs final, and gives the transaction if all inputs are.
	Finalize bool
	Replaces string // id of a job whose fee this one bumps: of the same inputs and payments

	Expires time.Time // as in KeygenRequest
	Wait    Wait      // for approvals, in the place of Expires
	JobID   string    // as in KeygenRequest
	// OnJob, if set, is called with the job before it is published, for instance to save it.
	// An error ends the request: the job is not published.
	OnJob func(*SignJob) error
}

// SignSolanaRequest asks for signatures of a Solana transaction.
type SignSolanaRequest struct {
	// Transaction is the whole transaction as wallets serialise it, legacy or version 0, with
	// a place for each signature: zeros, or what others have signed.
	Transaction []byte
	Signers     []Signer // 1 to MaxSigners

	Expires time.Time            // as in KeygenRequest
	Wait    Wait                 // for approvals, in the place of Expires
	JobID   string               // as in KeygenRequest
	OnJob   func(*SignJob) error // as in SignPSBTRequest
}

// Signer is a key that signs, or a child of it.
type Signer struct {
	Key  Key    // as Keygen or Proof.Verify returned it
	Path string // from the key to the child that signs, such as "0/17"; empty: the key itself
}

// SignMessageRequest asks for the signature of a text: for a bitcoin key as BIP 322 has it,
// the simple form of its Taproot address, and for a solana key that of an off-chain message.
type SignMessageRequest struct {
	Signer Signer
	Text   string // UTF-8, 1 to 4096 bytes

	Expires time.Time            // as in KeygenRequest
	Wait    Wait                 // for approvals, in the place of Expires
	JobID   string               // as in KeygenRequest
	OnJob   func(*SignJob) error // as in SignPSBTRequest
}

// SignPSBT has a PSBT signed in one job. While the fleet is busy it waits. The client reads
// the PSBT itself, before the job is published, and refuses what nodes would refuse, in the
// same words. It returns the PSBT with signatures that are verified, for the digests that it
// computed, and put in place here. Errors: as Handle.Wait, and *AccountError for keys that
// are not proven.
func (c *Client) SignPSBT(ctx context.Context, req SignPSBTRequest) (*Signed, error) {
	job, err := req.job(c.stated, c.branches, presently)
	return c.signNew(ctx, job, req.OnJob, err)
}

// SignSolanaTransaction has a Solana transaction signed in one job, as SignPSBT does.
func (c *Client) SignSolanaTransaction(ctx context.Context, req SignSolanaRequest) (*Signed, error) {
	job, err := req.job(c.stated, c.branches, presently)
	return c.signNew(ctx, job, req.OnJob, err)
}

// SignMessage has a text signed in one job, as SignPSBT does.
func (c *Client) SignMessage(ctx context.Context, req SignMessageRequest) (*Signed, error) {
	job, err := req.job(c.stated, c.branches, presently)
	return c.signNew(ctx, job, req.OnJob, err)
}

// Job is the request's job, for a fleet, without the fleet: to be saved, shown and approved
// before Client.SignJob publishes it.
func (r SignPSBTRequest) Job(m *Manifest) (*SignJob, error) {
	return r.job(m, newBranches(), presently)
}

// Job is as SignPSBTRequest.Job.
func (r SignSolanaRequest) Job(m *Manifest) (*SignJob, error) {
	return r.job(m, newBranches(), presently)
}

// Job is as SignPSBTRequest.Job.
func (r SignMessageRequest) Job(m *Manifest) (*SignJob, error) {
	return r.job(m, newBranches(), presently)
}

func newBranches() *derive.Cache { return derive.NewCache(maxBranches) }

func (r SignPSBTRequest) job(m *Manifest, branches *derive.Cache, at at) (*SignJob, error) {
	job := wire.Job{ID: r.JobID, Expires: r.Expires, PSBT: nonNil(r.PSBT), Partial: r.Partial, Finalize: r.Finalize,
		Replaces: r.Replaces}
	for _, k := range r.Keys {
		job.Keys = append(job.Keys, wire.SignKey{Key: k.ID})
	}
	return newSignJob(m, branches, r.Wait.of(job), r.Keys, at)
}

func (r SignSolanaRequest) job(m *Manifest, branches *derive.Cache, at at) (*SignJob, error) {
	job := wire.Job{ID: r.JobID, Expires: r.Expires, SolanaTransaction: nonNil(r.Transaction)}
	var keys []Key
	for _, s := range r.Signers {
		job.Keys, keys = append(job.Keys, s.wire()), append(keys, s.Key)
	}
	return newSignJob(m, branches, r.Wait.of(job), keys, at)
}

func (r SignMessageRequest) job(m *Manifest, branches *derive.Cache, at at) (*SignJob, error) {
	job := wire.Job{ID: r.JobID, Expires: r.Expires, Keys: []wire.SignKey{r.Signer.wire()}}
	if r.Signer.Key.Chain == wire.Bitcoin {
		job.BitcoinMessage = &r.Text
	} else {
		job.SolanaMessage = &r.Text
	}
	return newSignJob(m, branches, r.Wait.of(job), []Key{r.Signer.Key}, at)
}

func (s Signer) wire() wire.SignKey {
	named := wire.SignKey{Key: s.Key.ID}
	if s.Path != "" {
		named.Path = &s.Path
	}
	return named
}

// nonNil is content that is there, though it may be empty.
func nonNil(content []byte) []byte { return append([]byte{}, content...) }

// root is a key as readers of requests take it.
func (k Key) root(network string, path *string) (root intent.Root, err error) {
	a, err := k.Account()
	switch {
	case err != nil:
		return root, err
	case k.network != network:
		return root, refuseAccount(CodeOtherNetwork, "key %s was proven on %s, and this fleet is on %s", k.ID, k.network,
			network)
	}
	root = intent.Root{ID: k.ID, Key: a.root}
	if path != nil {
		if root.Path, err = derive.ParsePath(*path); err != nil {
			return root, accountError(fmt.Errorf("key %s: path %.100q: %w", k.ID, *path, err))
		}
	}
	return root, nil
}

// rootsOf are the keys of a job as readers take them. Further keys are of no interest.
func rootsOf(m *Manifest, named []wire.SignKey, keys []Key) (roots []intent.Root, used []Key, err error) {
	for _, n := range named {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == n.Key })
		if i < 0 {
			return nil, nil, refuseAccount(CodeUnprovenKey, "the job names key %.80s, and that is not among the keys here",
				n.Key)
		}
		root, err := keys[i].root(m.Network, n.Path)
		if err != nil {
			return nil, nil, err
		}
		roots, used = append(roots, root), append(used, keys[i])
	}
	return roots, used, nil
}
