package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// SignRequest asks for signatures.
type SignRequest struct {
	// Items: Sign takes any number, SubmitSign at most MaxJobItems and 1 MiB.
	// The items of one job are of one suite.
	Items []SignItem

	Expires time.Time // as in KeygenRequest
	JobID   string    // as in KeygenRequest

	// Progress, if set, is called after each job with the number of signatures
	// that are done, and that of Items. Calls do not overlap.
	Progress func(done, total int)
}

// SignItem is one message to sign.
type SignItem struct {
	Key string // id
	// Path leads from the key to the child that signs: up to 8 steps, such as "0/17"
	// (docs/protocol.md, section 10). Without it the key itself signs.
	Path    string
	Message []byte // bitcoin: signature hash, 32 bytes; solana: the message, 1 to 4096 bytes
	// ScriptRoot commits a bitcoin key to a script tree (BIP 341), 32 bytes.
	// Without it the key is tweaked as BIP 86 says.
	ScriptRoot []byte

	// PublicKey is the key's, as Keygen returned it. With it, a signature
	// counts only if it verifies under the output key that follows. Without it the
	// gateway says which key signed, and nothing proves it. With a path, the child
	// follows from it and from ChainCode, as Keygen returned that.
	PublicKey []byte
	ChainCode []byte
}

// Signature is one signature, checked.
type Signature struct {
	Key       string // id
	Path      string // to the child that signed
	PublicKey []byte // verifies it, the child's: x-only output key (BIP 341), or Ed25519; 32 bytes
	Signature []byte // 64 bytes
}

// SignResult holds the signatures in the order of the request's items.
type SignResult struct {
	Job        string // id; empty if it took several jobs
	Suite      string // secp256k1-tr or ed25519
	Signatures []Signature
	// Rechecked is how many of them were checked by btcd's library or crypto/ed25519 as well,
	// see Config.Recheck; of a job of one signature these are the only judges.
	Rechecked int

	refused []ItemError
}

// short is a *ItemsError if items were refused.
func (r *SignResult) short() error {
	if len(r.refused) == 0 {
		return nil
	}
	return &ItemsError{Items: r.refused, Of: len(r.Signatures)}
}

// Sign has items signed, in as many jobs as it takes, and returns the
// signatures once every one is verified. While the fleet is busy it waits.
// After an error the result holds nothing for what is missing: such entries have no
// Signature. Where only some items are refused, the error is a *ItemsError. See
// Config.CollectFor for many requests of one item each.
func (c *Client) Sign(ctx context.Context, req SignRequest) (*SignResult, error) {
	if c.collect.takes(req) {
		return c.collect.do(ctx, req)
	}
	return c.signAll(ctx, req)
}

// signAll has items signed in jobs of this request alone.
func (c *Client) signAll(ctx context.Context, req SignRequest) (*SignResult, error) {
	cuts := cutItems(req.Items)
	all, jobs, done := &SignResult{Signatures: make([]Signature, len(req.Items))}, len(cuts)-1, 0
	if req.JobID != "" && jobs > 1 {
		return all, errOneJob
	}
	err := doAll(ctx, c, jobs, func(ctx context.Context, i int) (*SignResult, error) {
		h, err := c.startSign(ctx, req, req.Items[cuts[i]:cuts[i+1]], true)
		return waitJob(ctx, c, h, err)
	}, func(i int, part *SignResult) error {
		all.Suite = part.Suite
		if jobs == 1 {
			all.Job = part.Job
		}
		copy(all.Signatures[cuts[i]:], part.Signatures)
		all.Rechecked += part.Rechecked
		for _, refused := range part.refused {
			refused.Item += cuts[i]
			all.refused = append(all.refused, refused)
		}
		if done += len(part.Signatures) - len(part.refused); req.Progress != nil {
			req.Progress(done, len(req.Items))
		}
		return nil
	})
	slices.SortFunc(all.refused, func(a, b ItemError) int { return a.Item - b.Item })
	if err == nil {
		return all, all.short()
	}
	return all, errors.Join(howFar(err, done, len(req.Items), "signatures"), all.short())
}

// SubmitSign publishes one sign job and returns once it is stored. If the
// fleet is busy it says so at once, with a *BusyError. The caller may use the bytes of its
// items again once SubmitSign returns.
func (c *Client) SubmitSign(ctx context.Context, req SignRequest) (*Handle[SignResult], error) {
	made, err := c.Maker().Sign(req)
	if err != nil {
		return nil, err
	}
	return Submit(ctx, c, made)
}

// startSign starts the job of some of the request's items.
func (c *Client) startSign(ctx context.Context, req SignRequest, want []SignItem, patient bool) (
	*Handle[SignResult], error) {
	made, err := c.makeSign(req, want)
	if err != nil {
		return nil, err
	}
	return submitMade(ctx, c, made, patient)
}

// makeSign makes the job of some of the request's items.
func (c *Client) makeSign(req SignRequest, want []SignItem) (*Made[SignResult], error) {
	job := wire.Job{ID: req.JobID, Kind: wire.KindSign, Expires: req.Expires}
	for i, it := range want {
		if err := it.check(i); err != nil {
			err.Job = req.JobID
			return nil, err
		}
		job.Items = append(job.Items, it.wire())
	}
	j, err := c.prepare(job)
	if err != nil {
		return nil, err
	}
	keys := sync.OnceValue(func() []outputKey { return outputKeys(c.branches, want) })
	made := newMade(c, j, func(_ *prepared, a *answer) (*SignResult, error) {
		return c.checkSignatures(want, keys(), a)
	})
	made.short = (*SignResult).short
	made.ahead = func() { keys() }
	return made, nil
}

// wire is the item as jobs have it.
func (it SignItem) wire() wire.JobItem {
	item := wire.JobItem{Key: it.Key, Message: it.Message, ScriptRoot: it.ScriptRoot}
	if it.Path != "" {
		item.Path = &it.Path
	}
	return item
}

// check refuses what can't be right whatever the key, and what can't be right
// with the expected one. i is the item's place in its job.
func (it SignItem) check(i int) *JobError {
	if err := it.checkExpected(i); err != nil {
		return err
	}
	switch secp256k1 := len(it.PublicKey) == 33; {
	case len(it.Message) == 0 || len(it.Message) > frost.MaxMessage:
		return refuseItem(i, CodeBadMessage, "message of %d bytes: want 1 to %d", len(it.Message), frost.MaxMessage)
	case secp256k1 && len(it.Message) != 32:
		return refuseItem(i, CodeBadMessage, "message of %d bytes: keys of %s sign hashes of 32", len(it.Message),
			SuiteSecp256k1TR)
	case len(it.PublicKey) == 32 && len(it.ScriptRoot) != 0:
		return refuseItem(i, CodeBadTweak, "script root with a key of %s", SuiteEd25519)
	}
	if err := it.wire().Check(); err != nil {
		return refuseItem(i, Code(err.Code), "%s", err.Reason)
	}
	return nil
}

// checkExpected refuses what can't be the key that is expected to sign.
func (it SignItem) checkExpected(i int) *JobError {
	switch n := len(it.PublicKey); {
	case n != 0 && n != 32 && n != 33:
		return refuseItem(i, CodeUnknownKey, "public key of %d bytes: keys of %s have 33, of %s 32", n, SuiteSecp256k1TR,
			SuiteEd25519)
	case it.Path != "" && n != 0 && len(it.ChainCode) != 32:
		return refuseItem(i, CodeBadPath, "path %.100q with a chain code of %d bytes: the child follows from PublicKey and "+
			"ChainCode, 32 bytes, as Keygen returned both", it.Path, len(it.ChainCode))
	}
	return nil
}

func refuseItem(i int, code Code, format string, args ...any) *JobError {
	return &JobError{Code: code, Message: fmt.Sprintf("item %d: ", i) + fmt.Sprintf(format, args...)}
}

// checkSignatures verifies every signature of a result against the items that
// were asked for.
func (c *Client) checkSignatures(want []SignItem, keys []outputKey, a *answer) (*SignResult, error) {
	r := &a.result
	if err := sameFleet(c.manifest, r); err != nil {
		return nil, err
	}
	if len(r.Sigs) != len(want) {
		return nil, fmt.Errorf("%d signatures for %d items", len(r.Sigs), len(want))
	}
	out := &SignResult{Job: r.Job, Suite: r.Suite, Signatures: make([]Signature, len(want))}
	all := claims{suite: r.Suite, branches: c.branches, of: make([]claim, 0, len(want))}
	for i, s := range r.Sigs {
		if s.Key != wire.ShortKey(want[i].Key) {
			return nil, fmt.Errorf("item %d: signature of key %.80q, asked of %s", i, s.Key, want[i].Key)
		}
		if s.Code != "" && r.Status == wire.StatusPartial {
			out.refused = append(out.refused, ItemError{i, s.Key, r.Job, Code(s.Code), s.Error, a.gateway})
			continue
		}
		if s.Path != want[i].Path {
			return nil, fmt.Errorf("item %d, key %s: signature under path %.100q, asked under %q", i, s.Key, s.Path,
				want[i].Path)
		}
		if err := keys[i].check(r.Suite, s.PublicKey); err != nil {
			return nil, fmt.Errorf("item %d, key %s: %w", i, s.Key, err)
		}
		all.of = append(all.of, claim{i, &want[i], &keys[i], s.PublicKey, s.Signature})
		out.Signatures[i] = Signature{Key: s.Key, Path: s.Path, PublicKey: s.PublicKey, Signature: s.Signature}
	}
	if len(out.refused) == len(want) || len(out.refused) == 0 && r.Status == wire.StatusPartial {
		return nil, fmt.Errorf("status %s with %d of %d items refused", r.Status, len(out.refused), len(want))
	}
	var err error
	if out.Rechecked, err = all.verify(c.recheck); err != nil {
		return nil, err
	}
	return out, nil
}
